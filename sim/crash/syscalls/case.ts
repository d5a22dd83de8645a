/** What one case came to. */
export interface SyscallCase {
  readonly call: string
  readonly what: string
  readonly silent: number
  readonly lost: number
  readonly notes: readonly string[]
}
