import type { NodeId } from './node-id.ts'

/** One step of a change. `add-learner` on a voter demotes it; removing a stranger changes nothing. */
export interface MemberChange {
  readonly action: 'add-voter' | 'add-learner' | 'remove'
  readonly id: NodeId
}

/**
 * A change of configuration, as one entry of the log. It takes effect when that entry is applied.
 *
 * - `auto`: at once where at most one voter changes, else through a joint configuration that is left automatically;
 * - `joint`: through a joint configuration in any case, left automatically;
 * - `joint-until-left`: through a joint configuration that stays until somebody proposes `leave`;
 * - `leave`: leaves a joint configuration; has no changes.
 */
export interface ConfigChange {
  readonly mode: 'auto' | 'joint' | 'joint-until-left' | 'leave'
  /** Taken in order, as one change. */
  readonly changes: readonly MemberChange[]
  /** The driver's own: addresses, names. Carried in the entry, not looked at. */
  readonly context?: Uint8Array
}
