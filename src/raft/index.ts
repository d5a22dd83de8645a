export { bootstrapState } from './bootstrap-state.ts'
export type { ChangeOptions, Membership } from './change-configuration.ts'
export { changeMembership, enterJoint, leaveJoint, simpleChange } from './change-configuration.ts'
export type { ConfigChange, MemberChange } from './config-change.ts'
export { decodeConfigChange, encodeConfigChange } from './config-change-codec.ts'
export type { Configuration } from './configuration.ts'
export { configuration, isJoint, isMember, isVoter, membersOf } from './configuration.ts'
export type { Entry, EntryKind } from './entry.ts'
export { entryBytes } from './entry.ts'
export type { ConfigChangeRefusal } from './errors.ts'
export { ConfigChangeError, NotLeaderError } from './errors.ts'
export type { HardState } from './hard-state.ts'
export type { InflightLimits } from './inflight-window.ts'
export { InflightWindow } from './inflight-window.ts'
export type {
  AppendAcceptedMessage,
  AppendMessage,
  AppendRejectedMessage,
  HeartbeatMessage,
  HeartbeatReplyMessage,
  Message,
  ReadReplyMessage,
  ReadRequestMessage,
  SnapshotMessage,
  TimeoutNowMessage,
  TransferMessage,
  VoteReplyMessage,
  VoteRequestMessage,
} from './message.ts'
export type { NodeId } from './node-id.ts'
export { NOBODY } from './node-id.ts'
export type { ProgressState } from './progress.ts'
export { Progress } from './progress.ts'
export type { Proposed } from './proposals.ts'
export type { Quorums, VoteResult } from './quorum.ts'
export { committedIndex, majorityCommitted, majorityVote, voteResult } from './quorum.ts'
export { RaftNode } from './raft-node.ts'
export type { InitialState, RaftLimits, RaftOptions } from './raft-options.ts'
export type { PeerStatus, RaftStatus } from './raft-status.ts'
export type { PersistToken, ReadState, Ready, Role, SoftState } from './ready.ts'
export type { SnapshotMetadata } from './snapshot-metadata.ts'
