import type { Bus, Reply, Request, RequestedDurability, Writer } from '../bus/index.ts'
import type { AgentRecord, AgentSelector, Roster } from '../channel/index.ts'
import { type Clock, ClosedError, SkeinError, type Timer, UnsupportedError } from '../core/index.ts'
import { type DecidedLiveness, Decider, type FencedAgent, type Moment } from './decider.ts'
import { EventTeller } from './event-teller.ts'
import { KeyedTurns } from './keyed-turns.ts'
import { DEFAULT_LIVENESS_POLICY, type LivenessPolicy } from './liveness.ts'
import { lastToldSequence, untoldMessages } from './owner-recovery.ts'
import {
  encodeAnswer,
  encodeRefusal,
  type HeardReply,
  type JoinReply,
  parseAgentRequest,
  parseChange,
  parseHeard,
  parseJoin,
  textOf,
} from './protocol.ts'
import { pulseMessages } from './pulse-aggregate.ts'
import { ownerMessage, type RosterEntry } from './roster-record.ts'
import { RosterView } from './roster-view.ts'
import { RosterWriter } from './roster-writer.ts'
import {
  CHANGE_REQUEST,
  HEARD_REQUEST,
  JOIN_REQUEST,
  LEAVE_REQUEST,
  PULSE_REQUEST,
  PULSES_TOPIC,
  ROSTER_TOPIC,
  SWARM_TOPIC,
  swarmTopics,
  TIME_REQUEST,
} from './topics.ts'

/** The gateway's name for the connection a request came over, as a header that no client can set. */
export const CONNECTION_HEADER = 'skeinconnection'

const TICKS_PER_PULSE = 4
const FORGET_EVERY_MS = 60_000
const WEEK_MS = 7 * 24 * 3_600_000

export interface OwnerOptions {
  readonly bus: Bus
  readonly clock: Clock
  /** One subject level: names this node in the roster and in pulses. */
  readonly nodeId: string
  /** Of the roster and of the swarm's events. Default `safe`. */
  readonly durability?: RequestedDurability
  readonly liveness?: Partial<LivenessPolicy>
  /** Agents in the roster at once, those that left and are not forgotten included. Default 100,000. */
  readonly agentsMax?: number
  /** How long the roster keeps agents that left or were lost, ms. Default 7 days. */
  readonly forgetAfterMs?: number
  /** A newer epoch took an agent's place: cut the old one's connection, should it have one. */
  readonly onFenced?: (fenced: FencedAgent) => void
  /** What cannot be told to any caller: a full disk under a transition, an unreadable record. */
  readonly onError?: (error: unknown) => void
}

/** Starts the one decider of a swarm on a bus with totally ordered positions. Throws `UnsupportedError` on another. */
export async function openOwner(options: OwnerOptions): Promise<Owner> {
  for (const topic of swarmTopics(options.durability ?? 'safe')) {
    const { driver, totalOrder } = await options.bus.open(topic)
    if (topic.name === ROSTER_TOPIC && !totalOrder)
      throw new UnsupportedError('join', `${driver} has no totally ordered positions to serve as epochs`)
  }
  const roster = options.bus.writer(ROSTER_TOPIC)
  const announced = await roster.write([ownerMessage(options.nodeId, options.clock.nowMs())])
  const owner = new Owner(options, roster, announced.positions[0]!.sequence)
  await owner.start()
  return owner
}

/**
 * The owner of the agents: the only one who writes joins and changes of liveness. It answers join, pulse, change and
 * leave, and is a roster itself, newer than any view of it.
 */
export class Owner implements Roster {
  readonly #options: OwnerOptions
  readonly #clock: Clock
  readonly #policy: LivenessPolicy
  readonly #decider: Decider
  readonly #epoch: number
  readonly #writers: readonly Writer[]
  readonly #pulses: Writer
  readonly #teller: EventTeller
  readonly #roster: RosterWriter
  readonly #turns = new KeyedTurns()
  readonly #view: RosterView
  #found: Array<{ entry: RosterEntry; sequence: number }> | undefined = []
  #unanswer: Array<() => Promise<void>> = []
  #timer: Timer | undefined
  #flushing: Promise<void> | undefined
  #ticks = 0
  #closing: Promise<void> | undefined
  #stopped: SkeinError | undefined

  /** Use `openOwner`. */
  constructor(options: OwnerOptions, roster: Writer, epoch: number) {
    const { bus, clock } = options
    this.#options = options
    this.#clock = clock
    this.#policy = { ...DEFAULT_LIVENESS_POLICY, ...options.liveness }
    const { agentsMax = 100_000, forgetAfterMs = WEEK_MS } = options
    this.#decider = new Decider(this.#policy, { agentsMax, forgetAfterMs })
    this.#epoch = epoch
    const events = bus.writer(SWARM_TOPIC)
    this.#pulses = bus.writer(PULSES_TOPIC)
    this.#writers = [roster, events, this.#pulses]
    this.#teller = new EventTeller({ writer: events, clock, onError: (error) => this.#failed(error) })
    this.#roster = new RosterWriter(roster, this.#teller, epoch)
    this.#view = new RosterView({
      bus,
      clock,
      onEntry: (entry, sequence) => this.#onEntry(entry, sequence),
      onError: (error) => this.#failed(error),
    })
  }

  /** Takes over what the roster says, tells what was left untold, and starts answering. */
  async start(): Promise<void> {
    const { bus } = this.#options
    const toldThrough = await lastToldSequence(bus)
    await this.#view.ready()
    const found = this.#found ?? []
    this.#found = undefined
    const now = this.#now()
    for (const { entry } of found) {
      if (entry.kind === 'agent') this.#decider.restore(entry.state, now)
      if (entry.kind === 'forgotten') this.#decider.confirmForgotten(entry.agentId)
    }
    this.#teller.tell(untoldMessages(found, toldThrough))
    await this.#answer(JOIN_REQUEST, (text, connection) => this.#join(text, connection))
    await this.#answer(PULSE_REQUEST, (text, connection) => this.#pulse(text, connection))
    await this.#answer(CHANGE_REQUEST, (text) => this.#change(text))
    await this.#answer(LEAVE_REQUEST, (text) => this.#leave(text))
    await this.#answer(HEARD_REQUEST, (text) => this.#heard(text))
    await this.#answer(TIME_REQUEST, () => ({ nowMs: this.#clock.nowMs() }))
    this.#tick()
  }

  /** Position of this owner's record in the roster: a newer owner's is greater. */
  get epoch(): number {
    return this.#epoch
  }

  /** How long one pulse lets an agent act: who was not heard of for so long claims nothing. */
  get leaseMs(): number {
    return this.#policy.pulseMs * this.#policy.suspectAfterPulses
  }

  async ready(): Promise<void> {
    if (this.#stopped) throw this.#stopped
  }

  get(agentId: string): AgentRecord | undefined {
    return this.#decider.get(agentId)
  }

  select(selector: AgentSelector): readonly AgentRecord[] {
    return this.#decider.select(selector)
  }

  /** Everyone, those that left included, sorted by id. */
  all(): readonly AgentRecord[] {
    return this.#decider.all()
  }

  /** Who was last heard on this connection; undefined for nobody. */
  agentsOn(connection: string): ReadonlySet<string> | undefined {
    return this.#decider.agentsOn(connection)
  }

  /** A gateway's connection is gone: agents last heard on it are suspect at once. */
  connectionClosed(connection: string): void {
    this.#decider.connectionClosed(connection)
    this.#flush()
  }

  /** Finishes the requests in hand and writes what is decided. Idempotent. */
  drain(): Promise<void> {
    this.#closing ??= this.#stop(async () => {
      await this.#turns.idle()
      this.#flush()
      await this.#flushing
      await this.#teller.drain()
      await Promise.all(this.#writers.map((writer) => writer.drain()))
    })
    return this.#closing
  }

  close(): Promise<void> {
    this.#closing ??= this.#stop(async () => {
      this.#teller.close()
      await Promise.all(this.#writers.map((writer) => writer.close()))
    })
    return this.#closing
  }

  async #stop(finish: () => Promise<void>): Promise<void> {
    this.#timer?.cancel()
    await Promise.all(this.#unanswer.map((stop) => stop()))
    await this.#view.close()
    await finish()
    this.#stopped ??= new ClosedError('the swarm')
  }

  async #answer(
    subject: string,
    handle: (text: string, connection: string | undefined) => unknown | Promise<unknown>,
  ): Promise<void> {
    const handler = async (request: Request): Promise<Reply> => {
      try {
        if (this.#stopped) throw this.#stopped
        const connection = request.headers?.[CONNECTION_HEADER]
        return { value: encodeAnswer(await handle(textOf(request.value), connection)) }
      } catch (error) {
        return { value: encodeRefusal(error) }
      }
    }
    this.#unanswer.push(await this.#options.bus.requests.answer(subject, handler))
  }

  #join(text: string, connection: string | undefined): Promise<JoinReply> {
    const request = parseJoin(text)
    return this.#turns.run(request.id, async () => {
      const planned = this.#decider.planJoin(request, this.#now())
      if ('epoch' in planned) return this.#joinReply(planned.epoch)
      const epoch = await this.#roster.join(planned)
      const fenced = this.#decider.confirmJoin({ ...planned.state, epoch }, connection, this.#now())
      if (fenced) this.#options.onFenced?.(fenced)
      return this.#joinReply(epoch)
    })
  }

  #joinReply(epoch: number): JoinReply {
    return { epoch, nowMs: this.#clock.nowMs(), pulseMs: this.#policy.pulseMs, leaseMs: this.leaseMs }
  }

  #pulse(text: string, connection: string | undefined): unknown {
    const reply = this.#decider.pulse(parseAgentRequest(text), connection, this.#now())
    if (this.#decider.hasUnwritten) this.#flush()
    return reply
  }

  #heard(text: string): HeardReply {
    return { heardAtMs: parseHeard(text).map((id) => this.#decider.get(id)?.seenAtMs ?? null) }
  }

  #change(text: string): Promise<unknown> {
    const request = parseChange(text)
    return this.#turns.run(request.id, async () => {
      const decided = this.#decider.planChange(request, this.#now())
      if (decided) {
        await this.#roster.states([decided])
        this.#decider.confirm(decided)
      }
      return { nowMs: this.#clock.nowMs() }
    })
  }

  #leave(text: string): Promise<unknown> {
    const request = parseAgentRequest(text)
    return this.#turns.run(request.id, async () => {
      const decided = this.#decider.planLeave(request, this.#now())
      if (decided) {
        await this.#roster.states([decided])
        this.#decider.confirm(decided)
      }
      return { nowMs: this.#clock.nowMs() }
    })
  }

  #tick(): void {
    const { pulseMs } = this.#policy
    this.#decider.tick(this.#now())
    this.#flush()
    if (this.#ticks % TICKS_PER_PULSE === 0) this.#tellPulses()
    if (this.#ticks % Math.ceil((FORGET_EVERY_MS / pulseMs) * TICKS_PER_PULSE) === 0) this.#forget()
    this.#ticks += 1
    this.#timer = this.#clock.setTimer(() => this.#tick(), pulseMs / TICKS_PER_PULSE)
  }

  /** Writes changes of liveness, one group at a time; agents with a request in hand are left for the next one. */
  #flush(): void {
    if (this.#flushing || this.#stopped || !this.#decider.hasUnwritten) return
    const decided = this.#decider.takeUnwritten((agentId) => this.#turns.busy(agentId), this.#now())
    if (decided.length === 0) return
    const written = this.#writeLiveness(decided)
    for (const { state } of decided) void this.#turns.run(state.id, () => written)
    this.#flushing = written.finally(() => {
      this.#flushing = undefined
    })
  }

  async #writeLiveness(decided: readonly DecidedLiveness[]): Promise<void> {
    try {
      await this.#roster.states(decided)
    } catch (error) {
      this.#decider.giveBack(decided)
      this.#failed(error)
    }
  }

  #tellPulses(): void {
    const messages = pulseMessages(this.#options.nodeId, this.#decider.takeHeard(), this.#clock.nowMs())
    if (messages.length === 0 || this.#pulses.full) return
    this.#pulses.write(messages).catch((error) => this.#failed(error))
  }

  #forget(): void {
    const now = this.#now()
    const agentIds = this.#decider.forgettable(now).filter((agentId) => !this.#turns.busy(agentId))
    if (agentIds.length === 0) return
    const written = this.#writeForgotten(agentIds, now)
    for (const agentId of agentIds) void this.#turns.run(agentId, () => written)
  }

  async #writeForgotten(agentIds: readonly string[], now: Moment): Promise<void> {
    try {
      await this.#roster.forget(agentIds, now.wallMs)
      for (const agentId of agentIds) this.#decider.confirmForgotten(agentId)
    } catch (error) {
      this.#failed(error)
    }
  }

  /** A newer decider announced itself: this one is fenced, and its records do not count any more. */
  #onEntry(entry: RosterEntry, sequence: number): void {
    this.#found?.push({ entry, sequence })
    if (entry.kind !== 'owner' || sequence <= this.#epoch || this.#stopped) return
    this.#stopped = new SkeinError(
      'fenced',
      `Cannot decide any more: another node owns this swarm since epoch ${sequence}`,
    )
    this.#failed(this.#stopped)
    this.close().catch((error) => this.#options.onError?.(error))
  }

  #failed(error: unknown): void {
    if (this.#closing === undefined || error === this.#stopped) this.#options.onError?.(error)
  }

  #now(): Moment {
    return { wallMs: this.#clock.nowMs(), monotonicMs: this.#clock.monotonicMs() }
  }
}
