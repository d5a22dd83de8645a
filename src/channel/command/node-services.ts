import type { Bus, RequestedDurability } from '../../bus/index.ts'
import { type Clock, type Random, UnsupportedError } from '../../core/index.ts'
import type { Roster } from '../ports.ts'

export interface CommandServicesOptions {
  readonly bus: Bus
  readonly clock: Clock
  readonly random: Random
  readonly roster: Roster
  /** Of the topics of inboxes and outcomes. Default `safe`. */
  readonly durability?: RequestedDurability
  /** An agent that the node has not heard of for so long claims nothing: its lease is over. Default 10,000. */
  readonly leaseMs?: number
  readonly onError?: (error: unknown) => void
}

/**
 * What a node does for commands: it keeps the inboxes of agents without a disk, answers `outcome()`, and withdraws
 * commands that provably reached nobody in time.
 */
export interface CommandServices {
  /** Has the withdrawer watch the commands of this topic. Idempotent; the topic must be open. */
  watch(topic: string): Promise<void>
  drain(): Promise<void>
  close(): Promise<void>
}

export async function openCommandServices(_options: CommandServicesOptions): Promise<CommandServices> {
  throw new UnsupportedError('commands', "the node's part is not built yet")
}
