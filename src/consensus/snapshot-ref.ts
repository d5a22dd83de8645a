/** Names a stored snapshot: enough to find it, and to know that it is whole. Plain data. */
export interface SnapshotRef {
  /** The last entry whose effect it holds. */
  readonly index: number
  /** The log time of that entry, ms since 1970-01-01 UTC. */
  readonly timeMs: number
  /** Where its objects begin in the store. */
  readonly name: string
  /** Of the state in it. */
  readonly bytes: number
  /** SHA-256 of its manifest, which has those of its chunks, in hexadecimal. */
  readonly checksum: string
}
