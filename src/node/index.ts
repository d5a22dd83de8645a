export type { NodeLog } from './node-log.ts'
export type { RunningNode } from './running-node.ts'
export type { NodeDependencies } from './start-node.ts'
export { startNode } from './start-node.ts'
