export type { RaftLogOptions } from './open-raft-log.ts'
export { openRaftLog } from './open-raft-log.ts'
export type { RaftConnections, RaftLog } from './raft-log.ts'
