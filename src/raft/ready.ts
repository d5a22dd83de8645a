import type { Entry } from './entry.ts'
import type { HardState } from './hard-state.ts'
import type { Message } from './message.ts'
import type { NodeId } from './node-id.ts'
import type { SnapshotMetadata } from './snapshot-metadata.ts'

export type Role = 'follower' | 'pre-candidate' | 'candidate' | 'leader'

/** What is known, not stored. */
export interface SoftState {
  readonly role: Role
  readonly leader: NodeId
}

/** A linearizable read point: what has been applied through `index` may be read. */
export interface ReadState {
  readonly index: number
  /** As handed to `readIndex()`. */
  readonly context: unknown
}

/** Names the writes of one `Ready`; given back to `RaftNode.persisted()` once they are durable. */
export interface PersistToken {
  /** From 1, one more for each. */
  readonly sequence: number
  /** The term in which the writes were handed out, and the last entry of the log then. */
  readonly term: number
  readonly index: number
  readonly entryTerm: number
}

/**
 * What the driver has to do. It was handed out: the next `ready()` has only what came since. The order of a driver:
 *
 * 1. send `messages`;
 * 2. write `snapshot`, `hardState` and `entries`, in one step that a crash leaves whole or undone, behind the writes of
 *    every earlier `Ready`; sync them when `mustSync`;
 * 3. when they are durable, and those of every earlier `Ready` too: send `messagesAfterPersist`, call `persisted(token)`;
 * 4. restore `snapshot` into the state machine, apply `committed`, in order; call `applied(index)`.
 *
 * 1 waits for nothing; several persists may be in flight; 4 waits for no persist of the same `Ready` but that of
 * `snapshot`: what is handed out to apply is durable already.
 */
export interface Ready {
  /** When role or leader changed. */
  readonly softState: SoftState | undefined
  /** When it changed. */
  readonly hardState: HardState | undefined
  /** To append to the stored log. The first may be at or below the last stored index: it replaces all from there on. */
  readonly entries: readonly Entry[]
  /** To be stored in place of the whole log, before `entries`. */
  readonly snapshot: SnapshotMetadata | undefined
  /** Whether anybody may rely on these writes: false when only the commit index moved. */
  readonly mustSync: boolean
  /** To be applied, in order. */
  readonly committed: readonly Entry[]
  readonly readStates: readonly ReadState[]
  /** Contexts of reads that will get no answer: no leader, or it changed. Ask again. */
  readonly abortedReads: readonly unknown[]
  readonly messages: readonly Message[]
  readonly messagesAfterPersist: readonly Message[]
  /** Undefined when there is nothing to persist and no message waits for an earlier persist. */
  readonly token: PersistToken | undefined
}
