import { SkeinError } from '../core/index.ts'
import { NOBODY, type NodeId } from './node-id.ts'

/** A proposal, change or transfer came to a node that cannot take it now. Nothing was appended: try again, at the leader. */
export class NotLeaderError extends SkeinError {
  override readonly name = 'NotLeaderError'
  /** Who is believed to lead, or `NOBODY`. */
  readonly leader: NodeId

  constructor(action: string, leader: NodeId, options: { readonly isHandingOver?: boolean } = {}) {
    const state = options.isHandingOver === true ? 'this node hands leadership over' : 'this node does not lead'
    const hint = leader === NOBODY ? 'no leader is known: try again later' : `ask node ${leader}`
    super('not-leader', `Cannot ${action}: ${state}; ${hint}`, { retryable: true, details: { leader } })
    this.leader = leader
  }
}

/** Why a change of configuration is refused. */
export type ConfigChangeRefusal =
  | 'already-joint'
  | 'not-joint'
  | 'several-voters'
  | 'no-voter-left'
  | 'no-voters'
  | 'bad-id'
  | 'bad-change'
  | 'change-pending'
  | 'no-commit-in-term'
  | 'demote-first'

/** A change of configuration that must not or cannot be made. */
export class ConfigChangeError extends SkeinError {
  override readonly name = 'ConfigChangeError'
  readonly reason: ConfigChangeRefusal

  constructor(reason: ConfigChangeRefusal, explanation: string) {
    const retryable = reason === 'change-pending' || reason === 'no-commit-in-term'
    super('config-change-refused', `Cannot change the configuration: ${explanation}`, {
      retryable,
      details: { reason },
    })
    this.reason = reason
  }
}
