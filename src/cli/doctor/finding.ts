/** One thing that was looked at. `attention`: it works, but somebody should know. */
export interface Finding {
  readonly what: string
  readonly state: 'ok' | 'attention' | 'broken'
  readonly detail: string
  /** Counts for programs. */
  readonly facts?: Readonly<Record<string, number>>
}

export function ok(what: string, detail: string): Finding {
  return { what, state: 'ok', detail }
}

export function attention(what: string, detail: string): Finding {
  return { what, state: 'attention', detail }
}

export function broken(what: string, error: unknown): Finding {
  return { what, state: 'broken', detail: error instanceof Error ? error.message : String(error) }
}
