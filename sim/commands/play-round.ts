import Type from 'typebox'
import { type CommandSender, command, type Outcome } from '../../src/channel/index.ts'
import type { CommandHistory, Effect, ReportedOutcome, SentCommand } from './check-effects.ts'
import { CommandWorld, type SimulatedAgent } from './command-world.ts'
import { repeatingBus } from './repeating-bus.ts'

export interface RoundOptions {
  readonly seed: number
  readonly commands: number
}

export interface Round {
  readonly history: CommandHistory
  readonly kills: number
}

const Value = Type.Object({ ms: Type.Number(), n: Type.Number() })

const DECLARED = [
  declare('move-to', { overlap: 'queue', startWithinMs: 2_000 }),
  declare('land', { overlap: 'replace', startWithinMs: 500 }),
  declare('photo', { overlap: 'parallel', startWithinMs: 1_000 }),
  declare('beep', { overlap: 'queue', startWithinMs: 5_000, idempotent: true }),
  declare('wait', { overlap: 'queue', startWithinMs: 20_000 }),
]

/**
 * One run: commands of all kinds to agents with both kinds of inbox, each delivered three times, while agents are
 * killed, lose their power, sleep, leave and come back, somebody sets the node's clock, and the node's part is started
 * anew. With every other seed the bus does not address by subject. The same seed gives the same run.
 */
export async function playRound(options: RoundOptions): Promise<Round> {
  const world = await CommandWorld.open({
    seed: options.seed,
    partitions: 2,
    isKeyed: options.seed % 2 === 1,
    senderBus: (bus, { clock, random }) =>
      repeatingBus(bus, { topic: 'swarm.commands', copies: 3, laterMsMax: 90_000, clock, random }),
  })
  try {
    const round = new CommandRound(world)
    await round.begin()
    await round.send(options.commands)
    return await round.finish()
  } finally {
    await world.close()
  }
}

class CommandRound {
  readonly #world: CommandWorld
  readonly #agents: SimulatedAgent[] = []
  readonly #senders: CommandSender[] = []
  /** Until when, true time. */
  readonly #away = new Map<SimulatedAgent, number>()
  readonly #asleep = new Map<SimulatedAgent, number>()
  readonly #sent: SentCommand[] = []
  readonly #effects: Effect[] = []
  readonly #told: ReportedOutcome[] = []
  readonly #sending: Promise<void>[] = []
  #kills = 0

  constructor(world: CommandWorld) {
    this.#world = world
  }

  async begin(): Promise<void> {
    for (const name of ['tower', 'twin']) this.#senders.push(await this.#world.sender(name))
    for (const inbox of ['local', 'node', 'local', 'node'] as const) {
      const agent = this.#world.agent(`drone-${this.#agents.length}`, { inbox })
      this.#agents.push(agent)
      await this.#join(agent)
    }
  }

  async send(commands: number): Promise<void> {
    const { clock, random } = this.#world
    for (let n = 0; n < commands; n += 1) {
      this.#sendOne(n)
      await clock.advance(random.float() * 120)
      if (random.float() < 0.12) await this.#strike(this.#pick(this.#agents))
      if (random.float() < 0.01) await this.#restartServices()
      if (random.float() < 0.02) this.#setClock()
      await this.#comeBack()
    }
  }

  async finish(): Promise<Round> {
    const { clock } = this.#world
    for (const map of [this.#away, this.#asleep]) for (const agent of map.keys()) map.set(agent, 0)
    await this.#comeBack()
    await this.#world.run(Promise.all(this.#sending), 600_000)
    // The latest repeats come long after their deadline, and after the inboxes have forgotten.
    await clock.advance(100_000)
    const outcomes = (await this.#world.outcomes()).map((delivery): ReportedOutcome => {
      const { state, reason } = JSON.parse(delivery.text())
      return { intentId: delivery.headers.skeinintent!, agentId: delivery.headers.source!, state, reason }
    })
    return { history: { sent: this.#sent, effects: this.#effects, outcomes, told: this.#told }, kills: this.#kills }
  }

  #sendOne(n: number): void {
    const { clock, random } = this.#world
    const declared = this.#pick(DECLARED)
    const agent = this.#pick(this.#agents)
    const id = { intentId: `intent-${n}`, agentId: agent.id }
    // Node time counts whole milliseconds: it may show a moment up to one later.
    const deadlineMs = clock.monotonicMs() + declared.startWithinMs + 1
    const { epoch, liveness } = this.#world.roster.get(agent.id)!
    const sentTo = liveness === 'alive' ? epoch : undefined
    this.#sent.push({ ...id, deadlineMs, idempotent: declared.idempotent, epoch: sentTo })
    const ms = random.float() < 0.1 ? 3_000 : random.float() * 200
    const sending = this.#pick(this.#senders).send(declared, agent.id, { ms, n }, { intentId: id.intentId })
    this.#sending.push(
      sending.then((outcome: Outcome<unknown>) => {
        const { state } = outcome
        this.#told.push({ ...id, state })
      }),
    )
  }

  async #join(agent: SimulatedAgent): Promise<void> {
    const { clock: trueTime } = this.#world
    const session = await agent.join({ abortGraceMs: 500 })
    for (const declared of DECLARED) {
      session.receiver.handle(declared, async (given, { signal }) => {
        const startedAtMs = trueTime.monotonicMs()
        await session.clock.sleep(given.value.ms, { signal })
        // What a dead process would have done next, it does not do.
        if (!session.isAlive()) return new Promise<never>(() => {})
        this.#effects.push({ intentId: given.intentId, agentId: agent.id, epoch: session.record.epoch, startedAtMs })
        this.#strikeAfterEffect(agent)
        return undefined as never
      })
    }
    await trueTime.settle()
  }

  /** Kills an agent, pulls its plug, lets it leave, or puts its machine to sleep; it comes back later, sometimes too late. */
  async #strike(agent: SimulatedAgent): Promise<void> {
    const { clock, random } = this.#world
    if (this.#away.has(agent) || this.#asleep.has(agent)) return
    const kind = random.float()
    const awayMs = random.float() < 0.6 ? random.float() * 300 : random.float() * 8_000
    const untilMs = clock.monotonicMs() + awayMs
    if (kind > 0.75) {
      agent.fallAsleep()
      this.#asleep.set(agent, untilMs)
      return
    }
    if (kind < 0.15) await agent.leave()
    else await agent.kill({ powerLoss: kind < 0.4 })
    this.#kills += 1
    this.#away.set(agent, untilMs)
  }

  /** Somebody sets the clock of the node's machine. */
  #setClock(): void {
    const { clock, random } = this.#world
    clock.jumpWall((random.float() - 0.5) * 6_000)
  }

  /** The worst moment: the effect is there, and its outcome is not stored. */
  #strikeAfterEffect(agent: SimulatedAgent): void {
    const { clock, random } = this.#world
    if (random.float() > 0.03 || this.#away.has(agent)) return
    agent.die({ powerLoss: random.float() < 0.5 })
    this.#kills += 1
    this.#away.set(agent, clock.monotonicMs() + random.float() * 400)
  }

  async #comeBack(): Promise<void> {
    const nowMs = this.#world.clock.monotonicMs()
    for (const [agent, atMs] of this.#asleep) {
      if (atMs > nowMs) continue
      this.#asleep.delete(agent)
      agent.wakeUp()
    }
    for (const [agent, atMs] of [...this.#away]) {
      if (atMs > nowMs) continue
      this.#away.delete(agent)
      await this.#join(agent)
    }
  }

  /** The node's part stops and starts again: held inboxes and outcomes are read back from their topics. */
  async #restartServices(): Promise<void> {
    await this.#world.run(this.#world.stopServices())
    await this.#world.startServices()
  }

  #pick<T>(from: readonly T[]): T {
    return from[Math.floor(this.#world.random.float() * from.length)]!
  }
}

function declare(
  name: string,
  options: {
    readonly overlap: 'queue' | 'replace' | 'parallel'
    readonly startWithinMs: number
    readonly idempotent?: boolean
  },
) {
  return command(`swarm.commands.{agentId}.${name}`, { schema: Value, completeWithinMs: 10_000, ...options })
}
