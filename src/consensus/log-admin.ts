import type { LogMember } from './log-status.ts'
import type { WaitOptions } from './wait-options.ts'

/**
 * Who takes part. Each call resolves when the change is committed and effective. Where a broker keeps the members, every one
 * rejects with `unsupported`. All but `transfer` are taken by the leader: elsewhere `not-leader`, retryable. Rejects with
 * `config-change-refused` for what must not be, `outcome-unknown` when the leader changed meanwhile: look at the members.
 */
export interface LogAdmin {
  /** As this member knows them. */
  members(): readonly LogMember[]
  /** Adds a new machine, which receives the log and does not count yet. */
  addLearner(member: { readonly id: string; readonly address: string }, options?: WaitOptions): Promise<void>
  /** Makes a learner a voter once it has caught up, which is waited for. */
  promote(id: string, options?: WaitOptions): Promise<void>
  /** Takes a member away: a voter is made a learner first, so that its vote is never missed. Its id is spent. */
  remove(id: string, options?: WaitOptions): Promise<void>
  /** Hands leadership to a voter; resolves when it leads. Rejects with `timeout` when it does not take over. */
  transfer(to: string, options?: WaitOptions): Promise<void>
}
