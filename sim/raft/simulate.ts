import { checkLinearizability, type Operation } from '../../testing/index.ts'
import { Chaos } from './chaos.ts'
import { Client } from './client.ts'
import { ailments, heal } from './heal.ts'
import { Operator } from './operator.ts'
import { Opportunist } from './opportunist.ts'
import type { Scenario } from './scenario.ts'
import { checkSteadyState } from './steady-state.ts'
import type { Tally } from './tally.ts'
import { Violation } from './violation.ts'
import { World, type WorldOptions } from './world.ts'

/** What became of a run. */
export interface Outcome {
  readonly events: number
  readonly virtualMs: number
  readonly tally: Tally
  readonly leaderChanges: number
  readonly history: readonly Operation[]
  /** What went wrong; undefined when nothing did. */
  readonly failure: Failure | undefined
}

export interface Failure {
  readonly kind: 'violation' | 'liveness' | 'linearizability'
  /** Which promise was broken. */
  readonly invariant: string
  readonly message: string
  readonly atMs: number
}

/** Time enough for what is committed to reach every state machine. */
const SETTLE_MS = 1_500
const STABLE_MS = 8_000
const EVENTS_MAX = 3_000_000

/** Plays a scenario from beginning to end. Never throws for what the code under test does. */
export function simulate(scenario: Scenario, options: WorldOptions = {}): Outcome {
  const run = new Run(scenario, options)
  const failure = run.play()
  const { world } = run
  if (failure !== undefined) world.note(() => `FAILED ${failure.invariant}: ${failure.message}`)
  return {
    events: world.events.happened,
    virtualMs: world.events.nowMs,
    tally: world.tally,
    leaderChanges: world.invariants.group.leaderCount,
    history: world.history,
    failure,
  }
}

class Run {
  readonly world: World
  readonly #chaos: Chaos
  readonly #operator: Operator
  readonly #opportunist: Opportunist
  readonly #clients: Client[]

  constructor(scenario: Scenario, options: WorldOptions) {
    this.world = new World(scenario, options)
    this.#operator = new Operator(this.world)
    this.#chaos = new Chaos(this.world, this.#operator)
    this.#opportunist = new Opportunist(this.world, { operator: this.#operator, chaos: this.#chaos })
    this.#clients = Array.from({ length: scenario.clients }, (_, index) => new Client(this.world, index + 1))
  }

  play(): Failure | undefined {
    try {
      this.#break()
      const failure = this.#mend()
      if (failure !== undefined) return failure
      this.#finish()
    } catch (error) {
      return this.#failed(error)
    }
    if (!this.world.scenario.verify.includes('linearizable')) return undefined
    const message = whyNotLinearizable(this.world.history)
    if (message === undefined) return undefined
    return { ...this.#at(), kind: 'linearizability', invariant: 'linearizability', message }
  }

  #at(): { readonly atMs: number } {
    return { atMs: this.world.events.nowMs }
  }

  #failed(error: unknown): Failure {
    const { message, stack } = error as Error
    if (error instanceof Violation) {
      return { ...this.#at(), kind: 'violation', invariant: error.invariant, message }
    }
    const where = stack?.split('\n').find((line) => line.includes('/src/')) ?? ''
    return { ...this.#at(), kind: 'violation', invariant: 'nothing throws', message: `${message}${where}` }
  }

  #break(): void {
    const { world } = this
    world.begin()
    this.#operator.begin()
    const firstFaultMs = Math.min(...world.scenario.faults.map(({ at }) => at))
    if (Number.isFinite(firstFaultMs))
      world.events.after(firstFaultMs, () => checkSteadyState(world, 'before the faults'))
    this.#chaos.begin()
    this.#opportunist.begin()
    for (const client of this.#clients) client.begin()
    this.#runUntil(world.scenario.faultsMs)
  }

  #runUntil(untilMs: number): void {
    while (this.world.events.step(untilMs)) {
      if (this.world.events.happened > EVENTS_MAX) throw new Violation('the run ends', `${EVENTS_MAX} events happened`)
    }
  }

  /** Without faults the group must work again in bounded time, and then stay as it is. */
  #mend(): Failure | undefined {
    const { world } = this
    const healing = heal(world, this.#chaos)
    world.note(() => 'the faults are over')
    for (const client of this.#clients) client.answered = 0
    const endMs = world.events.nowMs + world.scenario.healWithinMs
    let missing = ['nothing was tried']
    while (missing.length > 0 && world.events.nowMs < endMs) {
      const floor = world.invariants.group.commit
      this.#runUntil(world.events.nowMs + SETTLE_MS)
      missing = ailments(world, { ...healing, clients: this.#clients, floor })
    }
    if (missing.length === 0) checkSteadyState(world, 'after the faults')
    else return this.#notWell(`${world.scenario.healWithinMs} ms after the faults: ${missing.join('; ')}`)
    return this.#stay()
  }

  #stay(): Failure | undefined {
    const { world } = this
    const leader = world.leader()!
    const { term } = leader.member!.status
    this.#runUntil(world.events.nowMs + STABLE_MS)
    const now = world.leader()
    if (now === leader && now.member?.status.term === term) return undefined
    // Without both of these rules a node that is cut off may disturb the others, and is allowed to.
    const { raft, heal: healed } = world.scenario
    if (healed === 'majority' && !(raft.preVote && raft.checkQuorum)) return undefined
    const became = now === undefined ? 'none' : `node ${now.id} in term ${now.member!.status.term}`
    return this.#notWell(`leadership did not stay with node ${leader.id} in term ${term}: ${became}`)
  }

  #notWell(message: string): Failure {
    return { ...this.#at(), kind: 'liveness', invariant: 'liveness', message }
  }

  #finish(): void {
    const { world } = this
    for (const client of this.#clients) client.stop()
    const endMs = world.events.nowMs + 10_000
    const members = () => world.running().filter(({ member }) => member !== undefined && world.isMember(member))
    const isQuiet = () => new Set(members().map(({ member }) => member!.machine.applied)).size <= 1
    do this.#runUntil(world.events.nowMs + 500)
    while (!isQuiet() && world.events.nowMs < endMs)
    const through = world.invariants.group.commit
    const states = members()
      .map(({ id, member }) => ({ id, machine: member!.machine }))
      .filter(({ machine }) => machine.applied === through)
    world.oracle.finish(states)
  }
}

/** Too many calls at once to decide is no proof either. */
function whyNotLinearizable(history: readonly Operation[]): string | undefined {
  try {
    return checkLinearizability(history).violation?.message
  } catch (error) {
    return (error as Error).message
  }
}
