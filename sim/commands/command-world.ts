import { openEmbeddedBus } from '../../src/bus/drivers/embedded/index.ts'
import type { Bus, Delivery } from '../../src/bus/index.ts'
import {
  type AgentRecord,
  type CommandReceiver,
  type CommandSender,
  type CommandServices,
  commandReceiver,
  type InboxStore,
  openCommandSender,
  openCommandServices,
  openLocalInbox,
  requestedInbox,
} from '../../src/channel/index.ts'
import { type Clock, memoryDisk, type Random, steadyClock } from '../../src/core/index.ts'
import { localNodeTime } from '../../src/swarm/index.ts'
import { keyedBus } from '../../test/keyed-bus.ts'
import { SimulatedClock, SimulatedDisk, seededRandom } from '../../testing/index.ts'
import { MachineClock } from './machine-clock.ts'
import { MortalBus } from './mortal-bus.ts'
import { LEASE_MS, SimulatedLease } from './simulated-lease.ts'
import { SimulatedRoster } from './simulated-roster.ts'

export interface CommandWorldOptions {
  readonly seed?: number
  readonly partitions?: number
  /** The bus does not address by subject, as Kafka: the node hands commands out. Default false. */
  readonly isKeyed?: boolean
  /** What stands between a sender and the bus. Default: nothing. */
  readonly senderBus?: (bus: Bus, world: { readonly clock: SimulatedClock; readonly random: Random }) => Bus
}

const COMMAND_TOPIC = 'swarm.commands'
/** Silence that makes an agent suspect. */
const SUSPECT_MS = 3_000

/** A node, senders and agents in one process, on simulated time: agents can be killed and come back. */
export class CommandWorld {
  /** True time, and a wall clock that somebody may set. */
  readonly clock: SimulatedClock
  /** The node's, on that machine: its time never goes back. */
  readonly node: Clock
  readonly random: Random
  readonly roster = new SimulatedRoster()
  readonly errors: unknown[] = []
  readonly bus: Bus
  readonly #options: CommandWorldOptions
  #services: CommandServices | undefined
  readonly #senders: CommandSender[] = []
  readonly #agents = new Map<string, SimulatedAgent>()

  private constructor(bus: Bus, clocks: { world: SimulatedClock; node: Clock }, options: CommandWorldOptions) {
    this.bus = bus
    this.clock = clocks.world
    this.node = clocks.node
    this.random = seededRandom(options.seed ?? 1)
    this.#options = options
  }

  static async open(options: CommandWorldOptions = {}): Promise<CommandWorld> {
    const clock = new SimulatedClock()
    const node = steadyClock(clock)
    const random = seededRandom((options.seed ?? 1) + 1)
    const embedded = await openEmbeddedBus({ disk: memoryDisk(), clock: node, random, directory: 'data' })
    const bus = options.isKeyed ? keyedBus(embedded) : embedded
    await bus.open({
      name: COMMAND_TOPIC,
      intent: 'command',
      durability: 'none',
      ...(options.partitions === undefined ? {} : { partitions: options.partitions }),
    })
    const world = new CommandWorld(bus, { world: clock, node }, options)
    await world.startServices()
    return world
  }

  get isKeyed(): boolean {
    return this.#options.isKeyed ?? false
  }

  get nodeTime() {
    return localNodeTime(this.node)
  }

  readonly onError = (error: unknown): void => {
    this.errors.push(error)
  }

  async startServices(): Promise<void> {
    const { bus, node: clock, random, roster, onError } = this
    const opening = openCommandServices({ bus, clock, random, roster, onError, durability: 'none', leaseMs: LEASE_MS })
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
    const { node: clock, random, roster, nodeTime, onError } = this
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
  /** Of its machine: what a handler waits by. */
  readonly clock: Clock
  /** False once it was killed: nothing it does then may count. */
  isAlive(): boolean
}

export class SimulatedAgent {
  readonly id: string
  readonly disk: SimulatedDisk
  readonly #world: CommandWorld
  readonly #inboxKind: 'local' | 'node'
  #bus: MortalBus | undefined
  #machine: MachineClock | undefined
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
    const { node, random, roster, isKeyed, onError } = this.#world
    const record = roster.join(this.id, node.nowMs())
    const clock = new MachineClock(this.#world.clock)
    const awake = () => clock.awake()
    const bus = new MortalBus(this.#world.bus, awake)
    this.#bus = bus
    this.#machine = clock
    const isAlive = () => !bus.isDead
    const lease = new SimulatedLease({ record, roster, clock, node, isAlive })
    const nodeTime = lease.time
    const { wrapInbox = (inbox: InboxStore) => inbox, wrapBus = (unwatched: Bus) => unwatched, ...limits } = options
    const opened =
      this.#inboxKind === 'node'
        ? requestedInbox({ bus, clock, random, timeoutMs: 500 })
        : await this.#world.run(
            openLocalInbox({ disk: this.disk, clock, nodeTime, directory: 'inbox', graceMs: 30_000 }),
          )
    const inbox = wrapInbox(sleepingInbox(opened, awake))
    const identity = record
    const receiver = commandReceiver({
      ...{ bus: wrapBus(bus), clock, random, identity, nodeTime, lease, inbox, onError },
      isHandedOut: () => isKeyed,
      ...limits,
    })
    this.session = { record, receiver, inbox, lease, clock, isAlive }
    return this.session
  }

  /** Its machine sleeps: nothing in it goes on, and the node hears nothing of it. */
  fallAsleep(): void {
    const machine = this.#machine
    const { roster, clock } = this.#world
    if (machine === undefined || this.#bus?.isDead) return
    machine.fallAsleep()
    clock.setTimer(() => {
      const isSilent = machine.isAsleep && machine === this.#machine && !this.#bus?.isDead
      if (isSilent && roster.get(this.id)?.liveness === 'alive') roster.set(this.id, { liveness: 'suspect' })
    }, SUSPECT_MS)
  }

  wakeUp(): void {
    this.#machine?.wakeUp()
  }

  /** As SIGKILL, or with `powerLoss` as pulling the plug, from this instant on; the node sees the connection close. */
  die(options: { readonly powerLoss?: boolean } = {}): void {
    const { roster, node } = this.#world
    if (this.#bus === undefined || this.#bus.isDead) return
    this.#machine?.wakeUp()
    this.#dying = this.#bus.kill()
    if (options.powerLoss) this.disk.losePower()
    else this.disk.kill()
    this.disk.restart()
    if (roster.get(this.id)?.liveness === 'alive') roster.set(this.id, { liveness: 'suspect', seenAtMs: node.nowMs() })
  }

  /** Dies, and waits until the node has seen it. */
  async kill(options: { readonly powerLoss?: boolean } = {}): Promise<void> {
    this.die(options)
    await this.#world.run(Promise.resolve(this.#dying))
  }

  /** Finishes and leaves. */
  async leave(): Promise<void> {
    const { roster, node } = this.#world
    const leaving = async () => {
      await this.session?.receiver.drain()
      await this.session?.inbox.close()
    }
    // It may die on its way out.
    await this.#world.run(Promise.race([leaving(), this.#bus?.died]))
    if (this.#bus?.isDead) return
    await this.#bus?.kill()
    roster.set(this.id, { liveness: 'left', seenAtMs: node.nowMs() })
  }
}

/** What its disk or its node answers, a sleeping machine hears when it wakes up. */
function sleepingInbox(inbox: InboxStore, awake: () => Promise<void>): InboxStore {
  const later = async <T>(answer: Promise<T>): Promise<T> => {
    const settled = await Promise.allSettled([answer])
    await awake()
    if (settled[0].status === 'rejected') throw settled[0].reason
    return settled[0].value
  }
  return {
    claim: (request, options) => later(inbox.claim(request, options)),
    settle: (request, options) => later(inbox.settle(request, options)),
    reported: (identity) => inbox.reported(identity),
    recover: (session, options) => later(inbox.recover(session, options)),
    close: () => inbox.close(),
  }
}
