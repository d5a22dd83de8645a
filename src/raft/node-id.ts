/**
 * A member of a group: a positive safe integer, never used again for another node or another disk. The driver keeps
 * the way from names and addresses to ids.
 */
export type NodeId = number

/** Where an id is expected and nobody is meant: no leader, no vote. */
export const NOBODY: NodeId = 0
