import type { Random } from '../../src/core/index.ts'
import type { Configuration } from '../../src/raft/index.ts'
import type { Fault } from '../../testing/index.ts'
import type { Chaos } from './chaos.ts'
import type { Operator } from './operator.ts'
import type { SimNode } from './sim-node.ts'
import type { World } from './world.ts'

const WATCH_MS = 15

/**
 * Strikes where a group is weakest: a leader that was just elected and knows little, a configuration that some go by and
 * others do not yet. Faults at fixed times meet these moments too rarely.
 */
export class Opportunist {
  readonly #world: World
  readonly #operator: Operator
  readonly #chaos: Chaos
  readonly #random: Random
  #configIndex = 0

  constructor(world: World, parts: { readonly operator: Operator; readonly chaos: Chaos }) {
    this.#world = world
    this.#operator = parts.operator
    this.#chaos = parts.chaos
    this.#random = world.stream('opportunist')
  }

  begin(): void {
    if (this.#world.scenario.opportunityPercent === 0) return
    this.#watchElections(0)
    this.#world.onConfigApplied = (index) => this.#onConfigApplied(index)
    this.#world.onRestarted = () => this.#echo()
  }

  #isSeized(): boolean {
    const { scenario, events } = this.#world
    return events.nowMs < scenario.faultsMs && this.#random.float() * 100 < scenario.opportunityPercent
  }

  /** Who was just elected is asked for a change or a transfer at once. */
  #watchElections(termBefore: number): void {
    this.#world.events.after(WATCH_MS, () => {
      const term = this.#world.leader()?.member?.status.term ?? termBefore
      if (term > termBefore && this.#isSeized()) {
        if (this.#random.float() < 0.5) this.#echo()
        this.#operator.ask(this.#pick(['add-learner', 'promote', 'demote', 'joint', 'transfer', 'remove']), [])
      }
      this.#watchElections(Math.max(term, termBefore))
    })
  }

  /** What was said in earlier terms, or to an earlier life of a process, is heard again. */
  #echo(): void {
    for (const delayMs of [3, 40]) {
      if (this.#isSeized()) this.#world.events.after(this.#random.float() * delayMs, () => this.#world.echo(60))
    }
  }

  /** The first node, mostly the leader, goes by a new configuration; the others still go by the old one. */
  #onConfigApplied(index: number): void {
    if (index <= this.#configIndex) return
    this.#configIndex = index
    if (!this.#isSeized()) return
    // At once, when nobody else has heard of it, or when some have; never in the middle of what the node is doing.
    const delayMs = this.#random.float() < 0.6 ? 0 : this.#random.float() * 4
    this.#world.events.after(delayMs, () => this.#strike())
  }

  #strike(): void {
    const leader = this.#world.leader()
    if (leader === undefined) return
    const chance = this.#random.float()
    if (chance < 0.5) this.#split(leader)
    else if (chance < 0.65) this.#chaos.strike(this.#cutShort(), [leader])
    else if (chance < 0.8) this.#operator.ask(this.#pick(['snapshot', 'purge']), this.#world.running())
    else this.#operator.ask(this.#pick(['transfer', 'joint', 'demote', 'promote', 'remove']), [])
  }

  /** The leader with a half that could decide alone if the other half of the configuration were forgotten, apart from the rest. */
  #split(leader: SimNode): void {
    const others = this.#world.running().filter((node) => node !== leader)
    const half = this.#half(leader.member!.status.configuration, others)
    const some = others.filter(() => this.#random.float() < 0.5)
    const direction = this.#random.float() < 0.85 ? 'both' : 'one-way'
    const side = [leader, ...(this.#random.float() < 0.7 ? half : some)]
    this.#chaos.strike({ kind: 'network', action: 'partition', direction, ...this.#now(2_500, 8_000) }, side)
  }

  /** A majority of the new voters, or of the old ones, with as few of the others as possible. */
  #half({ voters, votersOutgoing }: Configuration, others: readonly SimNode[]): SimNode[] {
    const [mine, theirs] = this.#random.float() < 0.7 ? [voters, votersOutgoing] : [votersOutgoing, voters]
    const members = others.filter(({ id }) => mine.includes(id))
    const isShared = ({ id }: SimNode) => Number(theirs.includes(id))
    return members.toSorted((one, other) => isShared(one) - isShared(other)).slice(0, Math.floor(mine.length / 2))
  }

  #cutShort(): Fault {
    return this.#pick<Fault>([
      { kind: 'process', action: 'crash', ...this.#now(50, 3_000) },
      { kind: 'process', action: 'pause', ...this.#now(500, 4_000) },
      { kind: 'network', action: 'clog', way: 'in', ...this.#now(500, 4_000) },
      { kind: 'network', action: 'clog', way: 'out', ...this.#now(500, 4_000) },
      { kind: 'network', action: 'duplicate', percent: 50, late: 3_000, ...this.#now(1_000, 4_000) },
    ])
  }

  #now(low: number, high: number): Pick<Fault, 'at' | 'duration' | 'select'> {
    const duration = Math.round(low + this.#random.float() * (high - low))
    return { at: this.#world.events.nowMs, duration, select: { mode: 'fixed', value: 1, role: 'leader' } }
  }

  #pick<T>(items: readonly T[]): T {
    return items[Math.floor(this.#random.float() * items.length)]!
  }
}
