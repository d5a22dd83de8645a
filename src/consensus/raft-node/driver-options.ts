import type { Clock, MutualTls, Network, Random } from '../../core/index.ts'
import type { Entry, RaftLimits, ReadState, SoftState } from '../../raft/index.ts'
import type { SnapshotStore } from '../snapshot-store.ts'
import type { RaftStore, StoredState } from './raft-store.ts'
import type { SnapshotRecord } from './snapshot-record.ts'

export interface RaftTimes {
  /** Between heartbeats of a leader: the unit of time of the protocol. Default 100. */
  readonly heartbeatMs: number
  /** A follower campaigns after so long without a leader, and up to twice as long. Default 1,000. */
  readonly electionTimeoutMs: number
}

export interface RaftDriverOptions extends RaftTimes {
  readonly clock: Clock
  readonly random: Random
  readonly network: Network
  readonly store: RaftStore
  readonly state: StoredState
  readonly snapshots: SnapshotStore
  /** `host:port`; port 0 lets the system choose. */
  readonly listen: string
  readonly advertise?: string | undefined
  /** Instead of the addresses that the group's log has: for members that moved. */
  readonly addresses?: ReadonlyMap<number, string> | undefined
  readonly tls?: MutualTls | undefined
  readonly limits: Partial<Pick<RaftLimits, 'entryBytesMax' | 'uncommittedBytesMax' | 'messageBytesMax'>>
  readonly sink: DriverSink
}

/** What a driver tells whoever stands on it; every call in the order it happened. */
export interface DriverSink {
  /** They are committed and durable here, in order and each once, but after a snapshot took their place. */
  onCommitted(entries: readonly Entry[]): void
  /** They are about to be stored, and may still be taken back. */
  onStored(entries: readonly Entry[]): void
  /** A snapshot from the leader stands for everything through its index. */
  onInstalled(record: SnapshotRecord): void
  onRole(state: SoftState): void
  /** Linearizable read points; what is through `index` has been given to `onCommitted` when it is called. */
  onReadable(states: readonly ReadState[]): void
  onReadsAborted(contexts: readonly unknown[]): void
  onMembers(): void
  /** This member takes no part any more. */
  onFailed(error: Error): void
}
