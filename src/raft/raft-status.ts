import type { Configuration } from './configuration.ts'
import type { NodeId } from './node-id.ts'
import type { Role } from './ready.ts'

/** How far a peer is, as its leader knows. */
export interface PeerStatus {
  readonly id: NodeId
  /** It counts for commits. */
  readonly voter: boolean
  /** `probe`: one append at a time, until it is known where the logs agree. */
  readonly state: 'probe' | 'replicate' | 'snapshot'
  /** The last entry it has acknowledged as durable. */
  readonly match: number
  /** The next entry to be sent. */
  readonly next: number
  readonly inflightMessages: number
  readonly inflightBytes: number
  /** Nothing more is sent before it answers. */
  readonly paused: boolean
  /** It was heard since the last check of the quorum. */
  readonly recentlyActive: boolean
  /** The index of the snapshot on its way, else 0. */
  readonly pendingSnapshot: number
}

/** Everything about a node at one moment; a copy. */
export interface RaftStatus {
  readonly id: NodeId
  readonly role: Role
  readonly leader: NodeId
  readonly term: number
  readonly vote: NodeId
  readonly commit: number
  /** As reported by `applied()`. */
  readonly applied: number
  /** The first entry that is still held, or one more than the last. */
  readonly firstIndex: number
  readonly lastIndex: number
  readonly lastTerm: number
  /** Durable through this index, as far as was reported. */
  readonly stableIndex: number
  readonly snapshotIndex: number
  readonly configuration: Configuration
  /** Of a leader: itself and everyone else, by id; else empty. */
  readonly peers: readonly PeerStatus[]
  /** To whom leadership is being handed over, or `NOBODY`. */
  readonly transferTarget: NodeId
  readonly uncommittedBytes: number
  readonly pendingReads: number
  /** Ticks since the election timer began. */
  readonly electionElapsed: number
  /** Ticks after which this node campaigns. */
  readonly electionTimeout: number
}
