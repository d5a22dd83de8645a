import type { NodeId } from './node-id.ts'

/**
 * What must be on disk before the messages of the same `Ready` that wait for it leave. The commit index is part of it:
 * a node decides by it, after a restart, which configuration changes it must have applied before it may campaign.
 */
export interface HardState {
  readonly term: number
  /** Whom this node voted for in the term, or `NOBODY`. */
  readonly vote: NodeId
  readonly commit: number
}
