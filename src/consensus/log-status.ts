import type { SnapshotRef } from './snapshot-ref.ts'

/** Somebody who takes part, or whom to ask. */
export interface LogMember {
  /** Of Raft: the decimal node id, never used again for another machine. */
  readonly id: string
  /** Where others reach it; empty where it has none. */
  readonly address: string
  /** A learner receives the log and does not count. */
  readonly kind: 'voter' | 'learner'
}

/** Everything about one member's view of the log at one moment; a copy. */
export interface LogStatus {
  /** Which log this is: `raft`, `embedded`, `kafka`, `jetstream`, `sequenced`. */
  readonly implementation: string
  /** `leading`: appends are taken here. `electing`: nobody is known to lead. */
  readonly state: 'leading' | 'following' | 'electing' | 'closed'
  readonly id: string
  /** Of the leader that is known, or of the writer's epoch. */
  readonly term: number
  readonly leader: LogMember | undefined
  /** The first entry that can still be read; 1, or one past what was compacted. */
  readonly firstIndex: number
  /** Everything through this index may be read here. */
  readonly committedIndex: number
  /** The newest snapshot, where there is one. */
  readonly snapshot: SnapshotRef | undefined
  /** Bytes of entries held since what was compacted: snapshot and compact when they grow. */
  readonly retainedBytes: number
  /** Where membership belongs to a broker: empty. */
  readonly members: readonly LogMember[]
  /** Why this member takes no part any more: a failed disk, lost records. */
  readonly failure: Error | undefined
}
