import type { Configuration } from './configuration.ts'

/** What the core knows of a snapshot; its contents are the driver's. */
export interface SnapshotMetadata {
  /** The last entry it stands for. */
  readonly index: number
  /** The term of that entry. */
  readonly term: number
  /** As it was when that entry had been applied: never one that was committed later. See `RaftNode.snapshotMetadata()`. */
  readonly configuration: Configuration
}
