import type { Delivery } from '../bus/index.ts'
import type { AgentRecord } from '../channel/index.ts'
import { RosterFold } from './roster-fold.ts'
import { type RosterEntry, readRosterEntry } from './roster-record.ts'

/**
 * Folds the records of the roster topic as a node does, and says where they contradict what only deciders write: every
 * record readable, an epoch the position of a join, none going back, none of a decider that never announced itself.
 */
export class RosterInspection {
  /** One sentence each. */
  readonly problems: string[] = []
  readonly #fold = new RosterFold()

  /** All agents, those that left included. */
  agents(): readonly AgentRecord[] {
    return this.#fold.all()
  }

  /** To be called with every record, in order. */
  take(delivery: Delivery): void {
    const { sequence } = delivery.position
    try {
      const entry = readRosterEntry(delivery)
      const problem = this.#problemOf(entry, delivery)
      if (problem !== undefined) this.problems.push(`record ${sequence}: ${problem}`)
      this.#fold.apply(entry)
    } catch (error) {
      this.problems.push(`record ${sequence}: ${(error as Error).message}`)
    }
  }

  #problemOf(entry: RosterEntry, { key, position }: Delivery): string | undefined {
    if (entry.kind === 'owner') return undefined
    if (entry.ownerEpoch > this.#fold.ownerEpoch) {
      return `it is of decider ${entry.ownerEpoch}, which never announced itself`
    }
    if (entry.kind === 'forgotten') return undefined
    const { id, epoch } = entry.state
    if (id !== key) return `it says agent "${id}" under the key "${key}"`
    if (epoch > position.sequence) return `agent "${id}" has epoch ${epoch}, which no join can have given yet`
    const known = this.#fold.get(id)
    // What a decider wrote that had been replaced does not count, and is no fault.
    if (entry.ownerEpoch === this.#fold.ownerEpoch && known !== undefined && known.epoch > epoch) {
      return `agent "${id}" goes back from epoch ${known.epoch} to ${epoch}`
    }
    return undefined
  }
}
