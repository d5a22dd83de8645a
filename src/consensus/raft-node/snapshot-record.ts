import type { SnapshotMetadata } from '../../raft/index.ts'
import type { SnapshotRef } from '../snapshot-ref.ts'
import type { GroupMembersState } from './group-members.ts'

/** All that a member keeps of a snapshot beside its contents, and sends with it. Plain data. */
export interface SnapshotRecord {
  readonly metadata: SnapshotMetadata
  readonly snapshot: SnapshotRef
  readonly members: GroupMembersState
}
