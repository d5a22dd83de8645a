import { openEmbeddedBus } from '../../src/bus/drivers/embedded/index.ts'
import type { Bus, Delivery } from '../../src/bus/index.ts'
import {
  type AgentRecord,
  type AgentSelector,
  type CommandReceiver,
  type CommandSender,
  type CommandServices,
  commandReceiver,
  type InboxStore,
  type Lease,
  openCommandSender,
  openCommandServices,
  openLocalInbox,
  type Roster,
  requestedInbox,
} from '../../src/channel/index.ts'
import { memoryDisk, type Random, SkeinError } from '../../src/core/index.ts'
import { SimulatedClock, SimulatedDisk, seededRandom } from '../../testing/index.ts'
import { MortalBus } from './mortal-bus.ts'

export interface CommandWorldOptions {
  readonly seed?: number
  readonly partitions?: number
  /** What stands between a sender and the bus. Default: nothing. */
  readonly senderBus?: (bus: Bus, world: { readonly clock: SimulatedClock; readonly random: Random }) => Bus
}

const COMMAND_TOPIC = 'swarm.commands'

/** A node, senders and agents in one process, on simulated time: agents can be killed and come back. */
export class CommandWorld {
  readonly clock = new SimulatedClock()
  readonly random: Random
  readonly roster = new SimulatedRoster()
  readonly errors: unknown[] = []
  readonly bus: Bus
  readonly #options: CommandWorldOptions
  #services: CommandServices | undefined
  readonly #senders: CommandSender[] = []
  readonly #agents = new Map<string, SimulatedAgent>()

  private constructor(bus: Bus, clock: SimulatedClock, options: CommandWorldOptions) {
    this.bus = bus
    this.clock = clock
    this.random = seededRandom(options.seed ?? 1)
    this.#options = options
  }

  static async open(options: CommandWorldOptions = {}): Promise<CommandWorld> {
    const clock = new SimulatedClock()
    const random = seededRandom((options.seed ?? 1) + 1)
    const bus = await openEmbeddedBus({ disk: memoryDisk(), clock, random, directory: 'data' })
    await bus.open({
      name: COMMAND_TOPIC,
      intent: 'command',
      durability: 'none',
      ...(options.partitions === undefined ? {} : { partitions: options.partitions }),
    })
    const world = new CommandWorld(bus, clock, options)
    await world.startServices()
    return world
  }

  get nodeTime() {
    return { latestMs: () => this.clock.nowMs(), earliestMs: () => this.clock.nowMs() }
  }

  readonly onError = (error: unknown): void => {
    this.errors.push(error)
  }

  async startServices(): Promise<void> {
    const { bus, clock, random, roster, onError } = this
    const opening = openCommandServices({ bus, clock, random, roster, onError, durability: 'none', leaseMs: 3_000 })
    this.#services = await this.run(opening)
    await this.run(this.#services.watch(COMMAND_TOPIC))
  }

  async watch(topic: string): Promise<void> {
    if (this.#services !== undefined) await this.run(this.#services.watch(topic))
  }

  async stopServices(): Promise<void> {
    await this.#services?.close()
  }

  async sender(
    name: string,
    limits: { readonly pendingMax?: number; readonly pendingBytesMax?: number } = {},
  ): Promise<CommandSender> {
    const { clock, random, roster, nodeTime, onError } = this
    const bus = this.#options.senderBus?.(this.bus, this) ?? this.bus
    const options = { bus, clock, random, roster, nodeTime, onError, durability: 'none' as const, ...limits }
    const sender = await this.run(openCommandSender({ ...options, sender: name }))
    this.#senders.push(sender)
    return sender
  }

  agent(id: string, options: { readonly inbox?: 'local' | 'node' } = {}): SimulatedAgent {
    const agent = new SimulatedAgent(this, id, options.inbox ?? 'local')
    this.#agents.set(id, agent)
    return agent
  }

  /** Lets time pass until the promise is settled. */
  async run<T>(promise: Promise<T>, limitMs = 120_000): Promise<T> {
    let isSettled = false
    const watched = promise.finally(() => {
      isSettled = true
    })
    watched.catch(() => {})
    await this.clock.advanceUntil(() => isSettled, { stepMs: 5, limitMs })
    return watched
  }

  /** All that was reported so far. */
  async outcomes(): Promise<readonly Delivery[]> {
    const reader = this.bus.reader('skein.outcomes', { mode: 'broadcast', from: 'earliest' })
    const all: Delivery[] = []
    for (;;) {
      const batch = await this.run(reader.read({ waitMs: 50 }))
      if (batch === null) break
      all.push(...batch.deliveries)
    }
    await reader.close()
    return all
  }

  async close(): Promise<void> {
    const closing = async () => {
      for (const agent of this.#agents.values()) await agent.kill()
      for (const sender of this.#senders) await sender.close()
      await this.#services?.close()
      await this.bus.close()
    }
    await this.run(closing())
  }
}

/** The roster as a node would have it, set by the world. */
class SimulatedRoster implements Roster {
  readonly #agents = new Map<string, AgentRecord>()
  #epoch = 0

  async ready(): Promise<void> {}

  get(agentId: string): AgentRecord | undefined {
    return this.#agents.get(agentId)
  }

  select(selector: AgentSelector): readonly AgentRecord[] {
    const matches = (agent: AgentRecord) => selector.type === undefined || agent.type === selector.type
    return [...this.#agents.values()]
      .filter((agent) => agent.liveness !== 'left' && matches(agent))
      .sort((one, other) => (one.id < other.id ? -1 : 1))
  }

  join(id: string, nowMs: number): AgentRecord {
    this.#epoch += 1
    const known = { id, type: 'quadrotor', region: 'north', labels: {}, capabilities: [] }
    const times = { joinedAtMs: nowMs, seenAtMs: nowMs }
    const record: AgentRecord = { ...known, ...times, epoch: this.#epoch, liveness: 'alive' }
    this.#agents.set(id, record)
    return record
  }

  set(id: string, change: Partial<AgentRecord>): void {
    this.#agents.set(id, { ...this.#agents.get(id)!, ...change })
  }
}

export interface JoinOptions {
  readonly abortGraceMs?: number
  readonly parallelMax?: number
  readonly pendingMax?: number
  readonly pendingBytesMax?: number
  /** Stands before the inbox: makes it slow. */
  readonly wrapInbox?: (inbox: InboxStore) => InboxStore
  /** Stands before the bus: watches what the receiver does with it. */
  readonly wrapBus?: (bus: Bus) => Bus
}

/** One session of an agent: what dies with its process. */
export interface AgentSession {
  readonly record: AgentRecord
  readonly receiver: CommandReceiver
  readonly inbox: InboxStore
  readonly lease: SimulatedLease
  /** False once it was killed: nothing it does then may count. */
  isAlive(): boolean
}

/** An agent's lease: lost when the test says so, and renewed by the roster as a node would. */
class SimulatedLease implements Lease {
  readonly #world: CommandWorld
  readonly #record: AgentRecord
  readonly #fenced = new AbortController()
  #isHeld = true

  constructor(world: CommandWorld, record: AgentRecord) {
    this.#world = world
    this.#record = record
  }

  get fenced(): AbortSignal {
    return this.#fenced.signal
  }

  held(): boolean {
    return this.#isHeld
  }

  /** As after a pause: nothing is known of the time that passed. */
  lose(): void {
    this.#isHeld = false
  }

  async renew(): Promise<void> {
    await this.#world.clock.sleep(5)
    if (this.#world.roster.get(this.#record.id)?.epoch === this.#record.epoch) {
      this.#isHeld = true
      return
    }
    this.#fenced.abort(new SkeinError('fenced', 'A newer epoch took its place'))
    throw this.#fenced.signal.reason
  }
}

export class SimulatedAgent {
  readonly id: string
  readonly disk: SimulatedDisk
  readonly #world: CommandWorld
  readonly #inboxKind: 'local' | 'node'
  #bus: MortalBus | undefined
  #dying: Promise<void> | undefined
  session: AgentSession | undefined

  constructor(world: CommandWorld, id: string, inboxKind: 'local' | 'node') {
    this.#world = world
    this.id = id
    this.#inboxKind = inboxKind
    this.disk = new SimulatedDisk({ random: world.random })
  }

  /** Joins under a new epoch. Handlers are to be registered at once. */
  async join(options: JoinOptions = {}): Promise<AgentSession> {
    const { clock, random, nodeTime, roster, onError } = this.#world
    const record = roster.join(this.id, clock.nowMs())
    const bus = new MortalBus(this.#world.bus)
    this.#bus = bus
    const { wrapInbox = (inbox: InboxStore) => inbox, wrapBus = (unwatched: Bus) => unwatched, ...limits } = options
    const opened =
      this.#inboxKind === 'node'
        ? requestedInbox({ bus, clock, random, timeoutMs: 500 })
        : await this.#world.run(
            openLocalInbox({ disk: this.disk, clock, nodeTime, directory: 'inbox', graceMs: 30_000 }),
          )
    const inbox = wrapInbox(opened)
    const lease = new SimulatedLease(this.#world, record)
    const receiver = commandReceiver({
      bus: wrapBus(bus),
      clock,
      random,
      identity: record,
      nodeTime,
      lease,
      inbox,
      onError,
      ...limits,
    })
    this.session = {
      record,
      receiver,
      inbox,
      lease,
      isAlive: () => !bus.isDead,
    }
    return this.session
  }

  /** As SIGKILL, or with `powerLoss` as pulling the plug, from this instant on; the node sees the connection close. */
  die(options: { readonly powerLoss?: boolean } = {}): void {
    const { roster, clock } = this.#world
    if (this.#bus === undefined || this.#bus.isDead) return
    this.#dying = this.#bus.kill()
    if (options.powerLoss) this.disk.losePower()
    else this.disk.kill()
    this.disk.restart()
    if (roster.get(this.id)?.liveness === 'alive') roster.set(this.id, { liveness: 'suspect', seenAtMs: clock.nowMs() })
  }

  /** Dies, and waits until the node has seen it. */
  async kill(options: { readonly powerLoss?: boolean } = {}): Promise<void> {
    this.die(options)
    await this.#world.run(Promise.resolve(this.#dying))
  }

  /** Finishes and leaves. */
  async leave(): Promise<void> {
    const { roster, clock } = this.#world
    const leaving = async () => {
      await this.session?.receiver.drain()
      await this.session?.inbox.close()
    }
    // It may die on its way out.
    await this.#world.run(Promise.race([leaving(), this.#bus?.died]))
    if (this.#bus?.isDead) return
    await this.#bus?.kill()
    roster.set(this.id, { liveness: 'left', seenAtMs: clock.nowMs() })
  }
}
