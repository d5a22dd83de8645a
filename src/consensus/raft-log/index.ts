export type { RaftLogOptions, RaftMember } from './open-raft-log.ts'
export { openRaftLog } from './open-raft-log.ts'
export type { RaftConnections, RaftLog } from './raft-log.ts'
