import type { Bus } from '../../bus/index.ts'
import { type Clock, ClosedError, type Random, SkeinError } from '../../core/index.ts'
import type { AgentIdentity, Lease, NodeTime } from '../ports.ts'
import { backoffMs } from './backoff.ts'
import { type Arrival, CommandIntake } from './command-intake.ts'
import { commandFilters } from './command-record.ts'
import { CommandSchedule, type NextClaim } from './command-schedule.ts'
import type { CommandDefinition } from './definition.ts'
import { isFresh, remainingMs } from './freshness.ts'
import type { CommandHandler } from './handler.ts'
import { HandlerRun, type Verdict } from './handler-run.ts'
import type { InHandMax } from './in-hand.ts'
import type { ClaimRequest, ClaimResult, InboxStore, SettleRequest } from './inbox-store.ts'
import type { IncomingCommand, Registered } from './incoming-command.ts'
import type { StoredOutcome } from './outcome.ts'
import { OutcomeReporter } from './outcome-reporter.ts'
import { readArrival } from './read-arrival.ts'
import { refusalOf } from './refusal-of.ts'
import { withoutReply } from './reply-bound.ts'
import { CLOSED, LATE, NOT_RUN, REPLACED, REUSED } from './verdicts.ts'

export interface CommandReceiverOptions {
  readonly bus: Bus
  readonly clock: Clock
  readonly random: Random
  readonly identity: AgentIdentity
  readonly nodeTime: NodeTime
  readonly lease: Lease
  /** Stays the caller's to close, after the receiver. */
  readonly inbox: InboxStore
  /** Whether the broker of this topic does not address by subject, so that the node hands its commands out. Default: none. */
  readonly isHandedOut?: (topic: string) => boolean
  /** Commands running beside each other with `overlap: 'parallel'`. Default 16. */
  readonly parallelMax?: number
  /** Commands read and not yet settled; beyond it they wait at the node. Default 1,000. */
  readonly pendingMax?: number
  /** Their bytes; beyond it the next ones wait at the node. Default 8 MiB. */
  readonly pendingBytesMax?: number
  /** How long a handler may go on after its abort before the next one starts. Default 5,000. */
  readonly abortGraceMs?: number
  /** What cannot be told to any caller: an inbox that fails, a reader that is gone. */
  readonly onError?: (error: unknown) => void
}

export interface CommandReceiver {
  /**
   * Starts receiving this command; the first call starts the receiver after the current turn, so that handlers
   * registered together are all known before the first command arrives. Returns the way to stop.
   */
  handle<Value, Reply>(command: CommandDefinition<Value, Reply>, handler: CommandHandler<Value, Reply>): () => void
  /** Claims nothing more and waits for running handlers and their reports. Idempotent. */
  drain(): Promise<void>
  /** Aborts running handlers: their outcomes are `failed: closed`. Idempotent. */
  close(): Promise<void>
}

export function commandReceiver(options: CommandReceiverOptions): CommandReceiver {
  return new Receiver(options)
}

class Receiver implements CommandReceiver {
  readonly #options: Required<CommandReceiverOptions>
  readonly #incarnation: string
  readonly #handlers = new Map<string, Registered>()
  /** Of all handlers there ever were: each has an intake, or will have one in a moment. */
  readonly #topics = new Set<string>()
  readonly #intakes = new Map<string, CommandIntake>()
  readonly #items = new Map<string, IncomingCommand>()
  readonly #schedule: CommandSchedule<IncomingCommand>
  readonly #reporter: OutcomeReporter
  readonly #stop = new AbortController()
  readonly #settling = new Set<Promise<void>>()
  #started: Promise<void> | undefined
  readonly #claiming = new Set<Promise<void>>()
  #draining: Promise<void> | undefined
  #closing: Promise<void> | undefined

  constructor(options: CommandReceiverOptions) {
    const onError = options.onError ?? (() => {})
    this.#options = { ...DEFAULTS, ...options, onError }
    this.#incarnation = `${options.identity.epoch}-${Buffer.from(options.random.bytes(8)).toString('hex')}`
    this.#schedule = new CommandSchedule({ parallelMax: this.#options.parallelMax })
    const { bus, clock, random, inbox } = options
    this.#reporter = new OutcomeReporter({
      ...{ bus, clock, random, onError },
      onReported: (each) => inbox.reported(each),
      onDropped: () => void this.#recover(),
    })
    if (options.lease.fenced.aborted) this.#fence()
    options.lease.fenced.addEventListener('abort', () => this.#fence(), { once: true })
  }

  handle<Value, Reply>(command: CommandDefinition<Value, Reply>, handler: CommandHandler<Value, Reply>): () => void {
    if (this.#stopped()) throw new ClosedError('the command receiver')
    const key = handlerKey(command.topic, command.type)
    if (this.#handlers.has(key)) {
      throw new SkeinError('bad-argument', `Cannot handle "${command.type}": it has a handler already`)
    }
    this.#handlers.set(key, { definition: command, handler } as unknown as Registered)
    this.#topics.add(command.topic)
    this.#started ??= this.#start()
    void this.#started.then(() => this.#listen(command as unknown as Registered['definition']))
    return () => this.#handlers.delete(key)
  }

  drain(): Promise<void> {
    this.#draining ??= this.#drainAll()
    return this.#draining
  }

  close(): Promise<void> {
    this.#closing ??= this.#closeAll()
    return this.#closing
  }

  // — Starting and stopping

  async #start(): Promise<void> {
    await new Promise<void>((resolve) => this.#options.clock.setImmediate(resolve))
    await this.#recover()
  }

  /** Says what had no chance to be said: before the agent stopped, or while too many reports waited. */
  async #recover(): Promise<void> {
    const { identity, inbox, clock, nodeTime } = this.#options
    const session = { agentId: identity.id, epoch: identity.epoch, incarnation: this.#incarnation }
    const recovered = await this.#insist(() => inbox.recover(session, { signal: this.#stop.signal }))
    for (const each of recovered?.unreported ?? []) this.#reporter.report({ ...each, agentId: identity.id })
    if (recovered?.againMs === undefined) return
    const delayMs = remainingMs(recovered.againMs, nodeTime.latestMs()) + 1_000
    const timer = clock.setTimer(() => void this.#recover(), delayMs)
    this.#stop.signal.addEventListener('abort', () => timer.cancel(), { once: true })
  }

  #listen(command: Registered['definition']): void {
    if (this.#intakes.has(command.topic) || this.#stopped()) return
    const { bus, clock, random, identity, isHandedOut, onError } = this.#options
    const ephemeral = command.durability === 'none'
    const intake = new CommandIntake({
      ...{ bus, clock, random, onError },
      topic: command.topic,
      subjects: commandFilters(command.subject, identity.id),
      group: `agent.${identity.id}`,
      ephemeral,
      handedTo: !ephemeral && isHandedOut(command.topic) ? identity.id : undefined,
      inHandMax: () => this.#shareOfOne(),
      onArrival: (arrival) => this.#arrive(command.topic, arrival),
    })
    this.#intakes.set(command.topic, intake)
  }

  async #drainAll(): Promise<void> {
    for (const intake of this.#intakes.values()) intake.stop()
    await this.#started
    // What waits is not claimed any more: unacknowledged, it is given to the agent's next session.
    for (const item of [...this.#schedule.waiting]) this.#drop(item)
    await Promise.all(this.#claiming)
    while (this.#items.size > 0 && !this.#stop.signal.aborted) {
      await Promise.all([...this.#items.values()].map((item) => item.run?.verdict))
      await this.#settled()
    }
    await this.#reporter.drain()
    await this.close()
  }

  async #closeAll(): Promise<void> {
    for (const intake of this.#intakes.values()) intake.stop()
    for (const item of [...this.#schedule.waiting]) this.#drop(item)
    for (const item of this.#items.values()) item.run?.abort(CLOSED)
    // Storing what the abort decided is quick or fails; a store that hangs is cut off below.
    const patience = new AbortController()
    const limit = this.#options.clock.sleep(1_000, { signal: patience.signal }).catch(() => {})
    await Promise.race([this.#settled(), limit])
    patience.abort()
    this.#stop.abort(new ClosedError('the command receiver'))
    for (const item of [...this.#items.values()]) this.#drop(item)
    await this.#reporter.close()
    await Promise.all([...this.#intakes.values()].map((intake) => intake.close()))
  }

  async #settled(): Promise<void> {
    await Promise.resolve()
    while (this.#settling.size > 0) await Promise.all(this.#settling)
  }

  /** A newer epoch took this agent's place: nothing is claimed, stored or said under this one any more. */
  #fence(): void {
    const message = 'A newer epoch of the agent took its place'
    for (const item of this.#items.values()) item.run?.abort({ state: 'failed', reason: 'closed', message })
    this.#stop.abort(this.#options.lease.fenced.reason ?? new ClosedError('the command receiver'))
    void this.close()
  }

  #drop(item: IncomingCommand): void {
    item.finished = true
    item.timer?.cancel()
    this.#schedule.withdraw(item)
    this.#items.delete(item.record.intentId)
    item.arrival.letGo()
  }

  // — Arrivals

  /** Topics are read beside each other, and none may fill the room of another. */
  #shareOfOne(): InHandMax {
    const { pendingMax, pendingBytesMax } = this.#options
    const { size } = this.#topics
    return { count: Math.max(1, Math.floor(pendingMax / size)), bytes: Math.floor(pendingBytesMax / size) }
  }

  #arrive(topic: string, arrival: Arrival): void {
    if (this.#stopped()) return
    const { identity, onError } = this.#options
    const reading = readArrival(arrival, identity.id, (type) => this.#handlers.get(handlerKey(topic, type)))
    if (reading === undefined) return
    const { item, refusal } = reading
    if (item.sentEpoch > identity.epoch) {
      // Whoever sent it knows a newer session of this agent: this one is over, and the command is for that one.
      onError(fencedBy(item.sentEpoch, identity))
      this.#fence()
      return
    }
    const known = this.#items.get(item.record.intentId)
    if (known !== undefined) {
      this.#repeat(known, item, arrival)
      return
    }
    this.#items.set(item.record.intentId, item)
    if (refusal !== undefined) {
      this.#settle(item, refusal)
      return
    }
    this.#schedule.arrive(item)
    this.#watchDeadline(item)
    this.#pump()
  }

  #repeat(known: IncomingCommand, repeat: IncomingCommand, arrival: Arrival): void {
    const { intentId, sender, type } = repeat.record
    if (known.bodyHash === repeat.bodyHash) {
      if (known.senders.size < SENDERS_MAX) known.senders.add(sender)
      this.#holdOne(known, arrival)
      return
    }
    arrival.done()
    const agentId = this.#options.identity.id
    this.#reporter.report({ intentId, agentId, sender, type, outcome: this.#stamp(REUSED) })
  }

  /**
   * A flood of repeats must not fill the room: one record is held until the outcome is stored. Acknowledging another one
   * of the same partition passes nothing by, because acknowledgments leave no gap.
   */
  #holdOne(known: IncomingCommand, arrival: Arrival): void {
    const [held, given] = [known.arrival.delivery.position, arrival.delivery.position]
    if (held.partition !== given.partition || held.sequence !== given.sequence) {
      arrival.done()
      return
    }
    // The same record, given again because an assignment is over: under the new one it can be acknowledged.
    known.arrival.letGo()
    known.arrival = arrival
  }

  /** One that waits past its deadline is expired here and now, not when its turn comes. */
  #watchDeadline(item: IncomingCommand): void {
    const latestMs = this.#options.nodeTime.latestMs()
    // Without node time it cannot be claimed either; the claim says so once the lease could not be renewed.
    const delayMs = latestMs === undefined ? 500 : remainingMs(item.record.deadlineMs, latestMs) + 1
    item.timer = this.#options.clock.setTimer(() => {
      const nowMs = this.#options.nodeTime.latestMs()
      if (nowMs === undefined || isFresh(item.record.deadlineMs, nowMs)) return this.#watchDeadline(item)
      if (!this.#schedule.withdraw(item)) return
      const message = 'It waited behind another command past its deadline'
      this.#settle(item, { state: 'expired', reason: 'deadline', message })
      this.#pump()
    }, delayMs)
  }

  // — Claims, in order

  #pump(): void {
    while (!this.#stopped()) {
      const next = this.#schedule.next()
      if (next === undefined) return
      const claiming = this.#claim(next).finally(() => {
        this.#claiming.delete(claiming)
        this.#pump()
      })
      this.#claiming.add(claiming)
    }
  }

  #stopped(): boolean {
    return this.#stop.signal.aborted || this.#closing !== undefined || this.#draining !== undefined
  }

  async #claim(next: NextClaim<IncomingCommand>): Promise<void> {
    const { item, replaces } = next
    const replaced = replaces.map((each): SettleRequest => ({ ...this.#request(each), outcome: this.#stamp(REPLACED) }))
    const result = await this.#insist(async () => {
      await this.#ensureLease()
      return this.#options.inbox.claim(this.#request(item), { signal: this.#stop.signal, replaces: replaced })
    })
    if (result === undefined) {
      this.#schedule.notClaimed(next)
      return this.#drop(item)
    }
    if (result.kind === 'claimed') return this.#afterClaim(next, result)
    this.#schedule.notClaimed(next)
    this.#finish(item, result.kind === 'seen' ? result.outcome : this.#stamp(REUSED))
  }

  /** Claimed durably; what took time on the way is looked at again before the handler starts. */
  async #afterClaim(
    next: NextClaim<IncomingCommand>,
    result: ClaimResult & { readonly kind: 'claimed' },
  ): Promise<void> {
    const { item, replaces } = next
    const { lease, nodeTime, clock } = this.#options
    for (const [index, each] of replaces.entries()) this.#finish(each, result.replaced[index] ?? this.#stamp(REPLACED))
    if (!lease.held()) await this.#insist(() => this.#ensureLease())
    // A handler that has returned by now has its verdict before the abort below: one turn lets it be heard.
    if (item.overlap === 'replace') await new Promise<void>((resolve) => clock.setImmediate(resolve))
    const late = !isFresh(item.record.deadlineMs, nodeTime.latestMs())
    if (late || !lease.held() || this.#closing || this.#stop.signal.aborted) {
      this.#schedule.notClaimed(next)
      return this.#settle(item, late ? LATE : NOT_RUN)
    }
    const replaced = this.#schedule.claimed(next)
    this.#run(item, result.again)
    replaced?.run?.abort(REPLACED)
  }

  async #ensureLease(): Promise<void> {
    const { lease } = this.#options
    if (!lease.held()) await lease.renew({ signal: this.#stop.signal })
  }

  /** Tries until it works or can't: undefined when the receiver stopped or the inbox failed for good. */
  async #insist<Result>(attempt: () => Promise<Result>): Promise<Result | undefined> {
    for (let failures = 0; !this.#stop.signal.aborted; failures += 1) {
      try {
        return await attempt()
      } catch (error) {
        if (this.#stop.signal.aborted) return undefined
        if (!(error instanceof SkeinError && error.retryable)) {
          this.#options.onError(error)
          if (error instanceof SkeinError && error.code === 'fenced') this.#fence()
          return undefined
        }
      }
      const delayMs = backoffMs(failures, { firstMs: 20, maxMs: 2_000, random: this.#options.random })
      await this.#options.clock.sleep(delayMs, { signal: this.#stop.signal }).catch(() => {})
    }
    return undefined
  }

  // — Running and settling

  #run(item: IncomingCommand, again: boolean): void {
    item.timer?.cancel()
    const { clock, abortGraceMs } = this.#options
    const { definition, handler } = item.registered
    const { intentId, sender, type, deadlineMs } = item.record
    const run = new HandlerRun({
      clock,
      abortGraceMs,
      completeWithinMs: definition.completeWithinMs,
      call: async (signal) => {
        const reply = await handler({ intentId, sender, type, value: item.value, deadlineMs, again }, { signal })
        return definition.reply?.encode(reply)
      },
    })
    item.run = run
    void run.verdict.then((verdict) => this.#settle(item, verdict))
    void run.finished.then(() => {
      this.#schedule.ended(item)
      this.#pump()
    })
  }

  #settle(item: IncomingCommand, verdict: Verdict): void {
    if (item.finished) return
    const settling = this.#storeOutcome(item, verdict)
    this.#settling.add(settling)
    void settling.finally(() => this.#settling.delete(settling))
  }

  async #storeOutcome(item: IncomingCommand, verdict: Verdict): Promise<void> {
    const request: SettleRequest = { ...this.#request(item), outcome: this.#stamp(verdict) }
    const outcome = await this.#insist(() => this.#settleWithin(request))
    if (outcome !== undefined) return this.#finish(item, outcome)
    // Not stored, so not said: not acknowledged, it comes again, and then the inbox decides.
    this.#drop(item)
  }

  /** An inbox that takes less than usual must not make the command come again: it has run. */
  async #settleWithin(request: SettleRequest): Promise<StoredOutcome> {
    const { inbox } = this.#options
    const options = { signal: this.#stop.signal }
    try {
      return await inbox.settle(request, options)
    } catch (error) {
      const lesser = refusalOf(error) === 'message-too-large' ? withoutReply(request.outcome) : undefined
      if (lesser === undefined) throw error
      return inbox.settle({ ...request, outcome: lesser }, options)
    }
  }

  /** The outcome is durable: acknowledge, then report to everyone who sent it. */
  #finish(item: IncomingCommand, outcome: StoredOutcome): void {
    if (item.finished) return
    this.#drop(item)
    item.arrival.done()
    for (const sender of item.senders) {
      const { intentId, type } = item.record
      this.#reporter.report({ intentId, agentId: this.#options.identity.id, sender, type, outcome })
    }
    this.#pump()
  }

  #request(item: IncomingCommand): ClaimRequest {
    const { identity } = this.#options
    return {
      intentId: item.record.intentId,
      agentId: identity.id,
      epoch: identity.epoch,
      sentEpoch: item.sentEpoch,
      held: item.held,
      incarnation: this.#incarnation,
      bodyHash: item.bodyHash,
      sender: item.record.sender,
      type: item.record.type,
      deadlineMs: item.record.deadlineMs,
      idempotent: item.registered.definition.idempotent,
    }
  }

  #stamp(verdict: Verdict): StoredOutcome {
    return { ...verdict, atMs: this.#options.nodeTime.latestMs() ?? 0 }
  }
}

const DEFAULTS = {
  parallelMax: 16,
  pendingMax: 1_000,
  pendingBytesMax: 8 * 1024 * 1024,
  abortGraceMs: 5_000,
  isHandedOut: () => false,
}
/** Fabrics that are told the outcome of one command: a further one asks the node, or sends it again. */
const SENDERS_MAX = 100

function handlerKey(topic: string, type: string): string {
  return `${topic} ${type}`
}

function fencedBy(epoch: number, identity: AgentIdentity): SkeinError {
  return new SkeinError(
    'fenced',
    `Cannot receive commands as epoch ${identity.epoch} of "${identity.id}": one came for epoch ${epoch}; join again`,
    { details: { agentId: identity.id, epoch: identity.epoch, newerEpoch: epoch } },
  )
}
