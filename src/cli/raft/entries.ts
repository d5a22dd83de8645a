import type { CommandContext } from '../context.ts'
import type { RaftClient, RaftOptions } from './raft-client.ts'

export interface Entry {
  readonly index: number
  readonly term: number
  readonly timeMs: number
  readonly text?: string
  readonly base64?: string
}

export interface ReadFlags {
  readonly from: number
  readonly local?: true
  readonly follow?: true
  readonly poll: number
}

interface Page {
  readonly entries: readonly Entry[]
  readonly next: number
}

const PAGE = 1_000

export async function appendCommands(
  client: RaftClient,
  commands: readonly string[],
  { options, context }: { readonly options: RaftOptions; readonly context: CommandContext },
): Promise<void> {
  const body = JSON.stringify({ commands: commands.map((text) => ({ text })) })
  const appended = await client.at<{ first: number; last: number; durability: string }>('/entries', {
    method: 'POST',
    body,
  })
  const { first, last, durability } = appended
  const where = first === last ? `entry ${first}` : `entries ${first} to ${last}`
  await context.terminal.line(options.json ? JSON.stringify(appended) : `${where}, ${durability}`)
}

/** Until the end, or until it is interrupted while following. */
export async function readCommands(
  client: RaftClient,
  { from, local, follow, poll }: ReadFlags,
  { print, signal }: { readonly print: (entry: Entry) => Promise<void> | undefined; readonly signal: AbortSignal },
): Promise<void> {
  for (let next = from; ; ) {
    const query = new URLSearchParams({ from: String(next), max: String(PAGE) })
    if (local) query.set('local', 'true')
    if (follow) query.set('waitMs', String(Math.min(poll, 60_000)))
    const page = await client.at<Page>(`/entries?${query}`).catch((error: unknown) => {
      if (follow && signal.aborted) return undefined
      throw error
    })
    if (page === undefined) return
    for (const entry of page.entries) await print(entry)
    next = page.next
    if (page.entries.length === 0 && !follow) return
  }
}
