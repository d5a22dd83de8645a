export type { ConfigChangeRefusal } from '../raft/index.ts'
export { ConfigChangeError, NotLeaderError } from '../raft/index.ts'
export type { BrokerLog, BrokerLogOptions, SequencedLog, SequencedLogOptions } from './broker-log/index.ts'
export { openBrokerLog, openSequencedLog } from './broker-log/index.ts'
export { CompactedError, OutcomeUnknownError } from './errors.ts'
export type { LogAdmin } from './log-admin.ts'
export type { LogMember, LogStatus } from './log-status.ts'
export type { RaftConnections, RaftLog, RaftLogOptions } from './raft-log/index.ts'
export { openRaftLog } from './raft-log/index.ts'
export type { RaftMember, RaftMemberOptions } from './raft-node/index.ts'
export type {
  Appended,
  LogDurability,
  LogEntry,
  LogRead,
  ReadEntries,
  ReadOptions,
  ReplicatedLog,
} from './replicated-log.ts'
export type { ChunkInfo, SnapshotManifest } from './snapshot-manifest.ts'
export type { SnapshotRef } from './snapshot-ref.ts'
export type { SnapshotStoreOptions } from './snapshot-store.ts'
export { SnapshotStore } from './snapshot-store.ts'
export type { WaitOptions } from './wait-options.ts'
