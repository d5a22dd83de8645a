import type { Delivery } from '../../bus/index.ts'
import { decodeChange, type InboxChange } from './inbox-change.ts'
import { type InboxRow, rowKey } from './inbox-row.ts'

/**
 * Folds the records of a node's inbox and says where they contradict what an inbox writes: every record readable and
 * under its own key, one body and one outcome per command, no epoch that its agent never had.
 */
export class InboxInspection {
  /** One sentence each. */
  readonly problems: string[] = []
  readonly #rows = new Map<string, InboxRow>()
  readonly #epochOf: (agentId: string) => number | undefined

  /** `epochOf`: the newest epoch of an agent by the roster, if that knows it. */
  constructor(epochOf: (agentId: string) => number | undefined) {
    this.#epochOf = epochOf
  }

  /** Commands that are remembered, and those of them that were begun and have no outcome. */
  get counts(): { readonly commands: number; readonly open: number } {
    const open = [...this.#rows.values()].filter(({ outcome }) => outcome === undefined).length
    return { commands: this.#rows.size, open }
  }

  /** To be called with every record, in order. */
  take(delivery: Delivery): void {
    const { key = '', value, position } = delivery
    if (value === null) {
      this.#rows.delete(key)
      return
    }
    try {
      const problem = this.#fold(decodeChange(delivery.text()), key)
      if (problem !== undefined) this.problems.push(`record ${position.sequence}: ${problem}`)
    } catch (error) {
      this.problems.push(`record ${position.sequence}: ${(error as Error).message}`)
    }
  }

  #fold(change: InboxChange, key: string): string | undefined {
    if (change.kind === 'forget') return undefined
    if (change.kind === 'session') return this.#futureEpoch(change.agentId, change.epoch)
    const { row } = change
    const name = `command "${row.intentId}" of agent "${row.agentId}"`
    if (rowKey(row.agentId, row.intentId) !== key) return `${name} stands under the key of another one`
    const known = this.#rows.get(key)
    this.#rows.set(key, known?.outcome !== undefined && row.outcome === undefined ? known : row)
    if (known !== undefined && known.bodyHash !== row.bodyHash) return `${name} has two bodies`
    if (known?.outcome && row.outcome && known.outcome.state !== row.outcome.state) {
      return `${name} is ${row.outcome.state} after it was ${known.outcome.state}`
    }
    return this.#futureEpoch(row.agentId, row.epoch)
  }

  #futureEpoch(agentId: string, epoch: number): string | undefined {
    const newest = this.#epochOf(agentId)
    if (newest === undefined || epoch <= newest) return undefined
    return `it is of epoch ${epoch} of agent "${agentId}", whose newest by the roster is ${newest}`
  }
}
