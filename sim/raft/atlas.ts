import type { Configuration } from '../../src/raft/index.ts'
import { isQuorum } from './check/quorums.ts'
import type { SimNode } from './sim-node.ts'

/** The world as far as an atlas goes. */
interface Charted {
  readonly nodes: ReadonlyMap<number, SimNode>
  hasDamage(id: number): boolean
  configuration(): Configuration
}

/**
 * Knows where the good copies are. Disks are damaged only as long as every configuration that may still decide keeps a
 * majority of undamaged voters: then a loss is a bug and no arithmetic. What cannot be told from a torn write (the last
 * group of a log, both vote slots) is never touched.
 */
export class Atlas {
  readonly #world: Charted
  /** Configurations that were proposed: they may be in force before any node says so. */
  readonly #proposed: Configuration[] = []

  constructor(world: Charted) {
    this.#world = world
  }

  /** Notes a change that is about to be proposed; false when it would leave too few undamaged voters. */
  mayChangeTo(configuration: Configuration): boolean {
    if (!this.#keepsMajority(configuration, new Set())) return false
    this.#proposed.push(configuration)
    if (this.#proposed.length > 4) this.#proposed.shift()
    return true
  }

  mayDamage(id: number): boolean {
    const also = new Set([id])
    return this.#configurations().every((configuration) => this.#keepsMajority(configuration, also))
  }

  #keepsMajority(configuration: Configuration, also: ReadonlySet<number>): boolean {
    return isQuorum(configuration, (id) => !also.has(id) && !this.isDamaged(id))
  }

  isDamaged(id: number): boolean {
    const node = this.#world.nodes.get(id)
    return node === undefined || node.state === 'damaged' || node.state === 'gone' || this.#world.hasDamage(id)
  }

  #configurations(): Configuration[] {
    const found = [...this.#proposed]
    found.push(this.#world.configuration())
    for (const node of this.#world.nodes.values()) {
      if (node.member !== undefined) found.push(node.member.status.configuration)
    }
    return found.filter(({ voters }) => voters.length > 0)
  }
}
