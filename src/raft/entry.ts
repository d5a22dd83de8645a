/** What an entry is: the application's bytes, a configuration change, or the empty entry that begins a leader's term. */
export type EntryKind = 'command' | 'config' | 'empty'

/**
 * One entry of the replicated log. Indexes and terms are plain numbers: safe integers, so that at a million entries a
 * second the log may grow for 285 years. Never changed once made; the bytes are not copied.
 */
export interface Entry {
  /** From 1, without gaps. */
  readonly index: number
  /** The term of the leader that made it. */
  readonly term: number
  readonly kind: EntryKind
  /** The application's bytes; of a configuration change see `decodeConfigChange`; empty for `empty`. */
  readonly data: Uint8Array
}

/** Size that a message and a window count for an entry: its bytes and what surrounds them. */
export function entryBytes(entry: Entry): number {
  return entry.data.length + ENTRY_OVERHEAD_BYTES
}

const ENTRY_OVERHEAD_BYTES = 16
