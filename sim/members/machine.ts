import type { LogEntry } from '../../src/consensus/index.ts'

/** What a member of the harness makes of the log: the same on each. */
export interface Machine {
  apply(entries: readonly LogEntry[]): void
  /** What the client that appended these is told, once they are applied; undefined where it is told nothing. */
  answer(commands: readonly Uint8Array[]): unknown
  read(keys: readonly string[]): unknown
  snapshot(): Uint8Array
  restore(state: Uint8Array): void
  /** For whoever compares members, and what clients were told with what is here. */
  audit(): unknown
}
