import { type Bus, openIfMissing, type RequestedDurability, WriteError, type Writer } from '../../bus/index.ts'
import {
  type Clock,
  ClosedError,
  checkOptions,
  checkSubject,
  checkTimeoutMs,
  type KeysOf,
  type Random,
  SkeinError,
  uuidV7,
} from '../../core/index.ts'
import type { AgentRecord, NodeTime, Roster } from '../ports.ts'
import { backoffMs } from './backoff.ts'
import { bodyHash } from './body-hash.ts'
import { encodeCommand } from './command-record.ts'
import type { CommandDefinition } from './definition.ts'
import { planRecords, type RecordPlan, WIDE_MIN } from './fan-out.ts'
import type { Outcome, StoredOutcome } from './outcome.ts'
import { type KnownIntent, lookUpOutcome } from './outcome-lookup.ts'
import { decodeReport, OUTCOMES_TOPIC, outcomeSubject, outcomesTopic } from './outcome-record.ts'
import { PendingIntent } from './pending-intent.ts'
import { readOutcome } from './read-outcome.ts'
import { addresseeOf, type CommandTarget, type KnownTarget, type OutcomesOf, resolveTarget } from './resolve-target.ts'
import { SentIntents } from './sent-intents.ts'
import { TopicFollower } from './topic-follower.ts'

export interface SendOptions {
  /**
   * Any unique string. Default: a UUIDv7. The same id again asks for the same outcome; with another body it is refused. Nodes
   * remember the ids of a day, and 200,000 at most: one that is older is taken for new.
   */
  readonly intentId?: string
  /** How long to wait for an outcome before saying `unknown`. Default: the command's own deadlines plus 2,000. */
  readonly timeoutMs?: number
  /** Aborting stops the waiting and the resending; what was sent stays sent. */
  readonly signal?: AbortSignal
  /** Called with the intent's id before anything is written: who stops waiting knows what to ask for. */
  readonly onSending?: (intentId: string) => void
}

export interface OutcomeOptions {
  readonly agentId?: string
  /** For asking the node. Default 5,000. */
  readonly timeoutMs?: number
  readonly signal?: AbortSignal
}

const SEND_KEYS: KeysOf<SendOptions> = { intentId: true, timeoutMs: true, signal: true, onSending: true }
const OUTCOME_KEYS: KeysOf<OutcomeOptions> = { agentId: true, timeoutMs: true, signal: true }

export interface CommandSenderOptions {
  readonly bus: Bus
  readonly clock: Clock
  readonly random: Random
  readonly roster: Roster
  readonly nodeTime: NodeTime
  /** One subject level, unique among the fabrics alive: the outcomes for it are filtered by this name. */
  readonly sender: string
  /** What the topic of outcomes was opened with. Default `safe`. */
  readonly durability?: RequestedDurability
  /**
   * Intents remembered, to answer a repeat from here. Those that nobody waits for make room for new ones; when there
   * are none, `send()` is refused with `overloaded`. Default 10,000.
   */
  readonly pendingMax?: number
  /** Bytes of commands waiting for their outcomes and of replies remembered; then the same. Default 8 MiB. */
  readonly pendingBytesMax?: number
  /** What cannot be told to any caller. */
  readonly onError?: (error: unknown) => void
}

export interface CommandSender {
  /**
   * Rejects with `unknown-agent`, `schema-mismatch`, `intent-reused` before anything is written. To several agents, or to
   * whoever a selector matches: one outcome per agent, sorted by agent id; an empty list when it matches nobody.
   */
  send<Value, Reply, const Target extends CommandTarget>(
    command: CommandDefinition<Value, Reply>,
    target: Target & KnownTarget<Target>,
    value: NoInfer<Value>,
    options?: SendOptions,
  ): Promise<OutcomesOf<Target, Reply>>
  /**
   * What is known of a command by now, one for each agent it was sent to; `unknown` with reason `pending` while it is
   * under way, an empty list when the node knows no such intent. Rejects with `no-responder` without a node.
   */
  outcome(intentId: string, options?: OutcomeOptions): Promise<ReadonlyArray<Outcome<unknown>>>
  /** Waits for the outcomes of what was sent. */
  drain(): Promise<void>
  /** What waits resolves to `unknown`. */
  close(): Promise<void>
}

/** Resolves when it hears outcomes: nothing that is sent afterwards is missed. */
export async function openCommandSender(options: CommandSenderOptions): Promise<CommandSender> {
  checkSubject(`skein.outcomes.${options.sender}`, 'subject of a sender')
  // It is the node's topic: where there is one, it is as safe as the node made it.
  await openIfMissing(options.bus, outcomesTopic(options.durability))
  const sender = new Sender(options)
  await sender.opened()
  return sender
}

const DEFAULTS = { durability: 'safe', pendingMax: 10_000, pendingBytesMax: 8 * 1024 * 1024 } as const
/** For a command without `completeWithinMs`. */
const RUN_DEFAULT_MS = 30_000
const SLACK_MS = 2_000
/** A stored command is given by the broker; asking or resending only makes up for a write or a report that was lost. */
const STORED_RESEND = { firstMs: 2_000, maxMs: 30_000 }
/** One that is not stored is lost when nobody is there: only resending brings it over. */
const LIVE_RESEND = { firstMs: 100, maxMs: 1_000 }

class Sender implements CommandSender {
  readonly #options: Required<CommandSenderOptions>
  readonly #outcomes: TopicFollower
  readonly #writers = new Map<string, Writer>()
  readonly #partitions = new Map<string, number>()
  readonly #intents: SentIntents
  readonly #sending = new Set<Promise<unknown>>()
  readonly #stop = new AbortController()
  #draining = false

  constructor(options: CommandSenderOptions) {
    const onError = options.onError ?? (() => {})
    this.#options = { ...DEFAULTS, ...options, onError }
    const { pendingMax, pendingBytesMax } = this.#options
    this.#intents = new SentIntents({ countMax: pendingMax, bytesMax: pendingBytesMax })
    const { bus, clock, random, sender } = options
    this.#outcomes = new TopicFollower({
      ...{ bus, clock, random, onError },
      topic: OUTCOMES_TOPIC,
      subjects: [outcomeSubject(sender)],
      from: 'latest',
      onDelivery: (delivery) => {
        const report = decodeReport(delivery)
        if (report !== undefined) this.#intents.report(report.intentId, report.agentId, report.outcome)
      },
    })
  }

  opened(): Promise<void> {
    return this.#outcomes.caughtUp
  }

  // biome-ignore lint/suspicious/noExplicitAny: the interface says what comes for which target.
  send<V, R>(command: CommandDefinition<V, R>, target: CommandTarget, value: V, options: SendOptions = {}): any {
    const sending = this.#send(command as unknown as Registered, target, value, options)
    this.#sending.add(sending)
    const forget = () => this.#sending.delete(sending)
    sending.then(forget, forget)
    return typeof target === 'string' ? sending.then((outcomes) => outcomes[0]) : sending
  }

  async outcome(intentId: string, options: OutcomeOptions = {}): Promise<ReadonlyArray<Outcome<unknown>>> {
    checkOptions('look up an outcome', options, OUTCOME_KEYS)
    checkTimeoutMs('look up an outcome', options.timeoutMs)
    checkIntentId('look up an outcome', intentId)
    const { agentId, timeoutMs = 5_000, signal } = options
    const local = this.#intents.get(intentId)
    if (local !== undefined && local.pending.unanswered.length > 0) {
      await this.#askOnce(local.pending, timeoutMs, signal)
    }
    const outcomes = new Map<string, StoredOutcome>(local?.pending.outcomes)
    const reply = local?.command.reply
    if (outcomes.size === 0 || [...outcomes.values()].some((each) => each.state === 'unknown')) {
      const known = await lookUpOutcome(this.#options.bus.requests, intentId, { timeoutMs, signal })
      for (const id of known.pending) if (!outcomes.has(id)) outcomes.set(id, PENDING)
      for (const [id, outcome] of known.outcomes) outcomes.set(id, outcome)
    }
    return [...outcomes]
      .filter(([id]) => agentId === undefined || id === agentId)
      .sort(([left], [right]) => (left < right ? -1 : 1))
      .map(([id, outcome]) => readOutcome({ intentId, agentId: id }, outcome, reply))
  }

  async drain(): Promise<void> {
    this.#draining = true
    await Promise.allSettled(this.#sending)
    await this.close()
  }

  async close(): Promise<void> {
    if (this.#stop.signal.aborted) return
    this.#stop.abort(new ClosedError('the command sender'))
    await this.#outcomes.close()
    await Promise.all(Array.from(this.#writers.values(), (writer) => writer.close()))
  }

  async #send(
    command: Registered,
    target: CommandTarget,
    value: unknown,
    options: SendOptions,
  ): Promise<ReadonlyArray<Outcome<unknown>>> {
    if (this.#draining || this.#stop.signal.aborted) throw new ClosedError('the command sender')
    checkOptions('send a command', options, SEND_KEYS)
    checkTimeoutMs('send a command', options.timeoutMs)
    options.signal?.throwIfAborted()
    if (options.intentId !== undefined) checkIntentId('send a command', options.intentId)
    const encoded = command.value.encode(value)
    const agents = await resolveTarget(this.#options.roster, target)
    if (agents.length === 0) return []
    const size = { valueBytes: encoded.length, agents: agents.length }
    const { pending, done } = await this.#intent(command, { hash: bodyHash(command.type, encoded), size, options })
    try {
      pending.add(agents.map(addresseeOf))
      options.onSending?.(pending.intentId)
      await this.#deliver(command, pending, { agents, encoded, options })
    } finally {
      done()
    }
    return agents.map(({ id }) => {
      const outcome = pending.outcome(id) ?? NO_ANSWER
      return readOutcome({ intentId: pending.intentId, agentId: id }, outcome, command.reply)
    })
  }

  /** The intent of this id: the one that is known, here or at the node, or a new one; and the way to stop waiting. */
  async #intent(
    command: Registered,
    send: {
      readonly hash: string
      readonly size: { readonly valueBytes: number; readonly agents: number }
      readonly options: SendOptions
    },
  ): Promise<{ readonly pending: PendingIntent; readonly done: () => void }> {
    const { hash, size, options } = send
    const intentId = options.intentId ?? uuidV7(this.#options.clock, this.#options.random)
    const take = (pending: PendingIntent) => ({
      pending: sameBody(pending, hash),
      done: this.#intents.wait(intentId, size),
    })
    const local = this.#intents.get(intentId)?.pending
    if (local !== undefined) return take(local)
    const known = options.intentId === undefined ? undefined : await this.#known(intentId, options.signal)
    if (known?.sent !== undefined) sameBody({ intentId, bodyHash: known.sent.bodyHash }, hash)
    const earliestMs = this.#options.nodeTime.earliestMs()
    if (earliestMs === undefined) {
      throw new SkeinError('connection-lost', 'Cannot send a command: the node has not told its time yet; try again', {
        retryable: true,
      })
    }
    const deadlineMs = known?.sent?.deadlineMs ?? earliestMs + command.startWithinMs
    // Two calls with the same id may have come here together: the first one's deadline counts.
    const raced = this.#intents.get(intentId)?.pending
    if (raced !== undefined) return take(raced)
    const pending = new PendingIntent({ intentId, bodyHash: hash, type: command.type, deadlineMs })
    this.#intents.add({ pending, command })
    for (const [agentId, outcome] of known?.outcomes ?? []) this.#intents.report(intentId, agentId, outcome)
    return take(pending)
  }

  /**
   * What the node knows of an intent whose id was given. Without an answer nothing is sent: a new deadline for an intent
   * that was sent before could outlive what its receiver remembers of it, and it would take effect twice.
   */
  async #known(intentId: string, signal: AbortSignal | undefined) {
    try {
      return await lookUpOutcome(this.#options.bus.requests, intentId, { timeoutMs: 2_000, signal })
    } catch (cause) {
      signal?.throwIfAborted()
      const message = `Cannot send intent "${intentId}": no node says whether it was sent before; nothing was sent, try again`
      throw new SkeinError('connection-lost', message, { retryable: true, cause })
    }
  }

  /** Writes, waits, and makes sure that it is there, until everyone has answered or nobody may claim it any more. */
  async #deliver(
    command: Registered,
    pending: PendingIntent,
    send: {
      readonly agents: readonly AgentRecord[]
      readonly encoded: Uint8Array | string
      readonly options: SendOptions
    },
  ): Promise<void> {
    const { clock, random, nodeTime } = this.#options
    const startedAtMs = clock.monotonicMs()
    const timeoutMs = send.options.timeoutMs ?? defaultTimeoutMs(command)
    const agentIds = send.agents.map((agent) => agent.id)
    const plans = planRecords(command.subject, send.agents, await this.#partitionsOf(command, send.agents.length))
    const rhythm = command.durability === 'none' ? LIVE_RESEND : STORED_RESEND
    const copy: Copy = { plans, encoded: send.encoded, agentIds, isStored: false, mayHaveGone: false, isBusy: false }
    for (let attempt = 0; !this.#stop.signal.aborted; attempt += 1) {
      const earliestMs = nodeTime.earliestMs()
      const ttlMs = pending.deadlineMs - (earliestMs ?? pending.deadlineMs)
      const writing = ttlMs > 0 ? this.#ensure(command, pending, { copy, ttlMs }) : undefined
      const leftMs = timeoutMs - (clock.monotonicMs() - startedAtMs)
      const waitMs = Math.min(leftMs, backoffMs(attempt, { ...rhythm, random }))
      if (await this.#wait(pending, agentIds, { waitMs, signal: send.options.signal, writing })) return
      if (leftMs <= waitMs) break
    }
    if (!this.#stop.signal.aborted) await this.#askOnce(pending, SLACK_MS, send.options.signal)
  }

  /**
   * Writes the command until that is acknowledged. From then on it only asks the node, which brings outcomes whose
   * reports were lost, and writes it again when the node says that it has no such command.
   */
  async #ensure(
    command: Registered,
    pending: PendingIntent,
    what: { readonly copy: Copy; readonly ttlMs: number },
  ): Promise<void> {
    const { copy, ttlMs } = what
    if (copy.isBusy) return
    copy.isBusy = true
    try {
      if (copy.isStored && (await this.#isKnown(pending, copy.agentIds))) return
      const isAccepted = await this.#write(command, pending, { ...copy, ttlMs })
      copy.mayHaveGone = true
      copy.isStored = isAccepted && command.durability !== 'none'
    } finally {
      copy.isBusy = false
    }
  }

  /** False when the node has lost the command, or none keeps count of them. Without an answer nothing is known to be lost. */
  async #isKnown(pending: PendingIntent, agentIds: readonly string[]): Promise<boolean> {
    try {
      const known = await this.#ask(pending, SLACK_MS, this.#stop.signal)
      return agentIds.every((id) => pending.outcome(id) !== undefined || known.pending.includes(id))
    } catch (error) {
      return !(error instanceof SkeinError && error.code === 'no-responder')
    }
  }

  /**
   * Writes the command for those that have not answered. False when it was not accepted now, or may not have been: it is
   * tried with the next resend.
   */
  async #write(
    command: Registered,
    pending: PendingIntent,
    body: Pick<Copy, 'plans' | 'encoded' | 'mayHaveGone'> & { readonly ttlMs: number },
  ): Promise<boolean> {
    const { intentId, type, deadlineMs } = pending
    const messages = body.plans.flatMap((plan) => {
      const addressees = plan.agentIds.flatMap((id) =>
        pending.outcome(id) === undefined ? [pending.addressee(id)!] : [],
      )
      if (addressees.length === 0) return []
      const record = { intentId, type, deadlineMs, sender: this.#options.sender, addressees }
      return [encodeCommand(record, { ...plan, value: body.encoded, codec: command.value, ttlMs: body.ttlMs })]
    })
    if (messages.length === 0) return true
    try {
      await this.#writer(command.topic).write(messages)
      return true
    } catch (error) {
      // Over quota, nothing of it is stored: the caller hears of that, unless an earlier copy may be on its way.
      const isOverQuota = error instanceof SkeinError && error.code === 'quota-exceeded' && !body.mayHaveGone
      const mayHaveGone = error instanceof WriteError || (error instanceof SkeinError && error.retryable)
      if (isOverQuota || !mayHaveGone) throw error
      return false
    }
  }

  #writer(topic: string): Writer {
    const writer = this.#writers.get(topic) ?? this.#options.bus.writer(topic)
    this.#writers.set(topic, writer)
    return writer
  }

  async #partitionsOf(command: Registered, agents: number): Promise<number> {
    if (agents < WIDE_MIN) return 1
    let partitions = this.#partitions.get(command.topic)
    if (partitions === undefined) {
      partitions = (await this.#options.bus.admin.describeTopic(command.topic)).capabilities.partitions
      this.#partitions.set(command.topic, partitions)
    }
    return partitions
  }

  /** True when all have answered within the time. Rejects when the caller gave up or the write was refused for good. */
  async #wait(
    pending: PendingIntent,
    agentIds: readonly string[],
    limits: {
      readonly waitMs: number
      readonly signal: AbortSignal | undefined
      readonly writing: Promise<void> | undefined
    },
  ): Promise<boolean> {
    const over = new AbortController()
    const timer = this.#options.clock.setTimer(() => over.abort(), Math.max(0, limits.waitMs))
    const signals = [over.signal, this.#stop.signal]
    if (limits.signal !== undefined) signals.push(limits.signal)
    // A write may take as long as the connection is away; only its refusal ends the waiting.
    const refused = new Promise<never>((_, reject) => limits.writing?.catch(reject))
    try {
      await Promise.race([pending.answered(agentIds, AbortSignal.any(signals)), refused])
      return true
    } catch (error) {
      limits.signal?.throwIfAborted()
      if (over.signal.aborted || this.#stop.signal.aborted) return false
      over.abort()
      throw error
    } finally {
      timer.cancel()
    }
  }

  /** What the node knows: a report may have been lost on its way here. */
  async #ask(pending: PendingIntent, timeoutMs: number, signal: AbortSignal | undefined): Promise<KnownIntent> {
    const known = await lookUpOutcome(this.#options.bus.requests, pending.intentId, { timeoutMs, signal })
    for (const [agentId, outcome] of known.outcomes) this.#intents.report(pending.intentId, agentId, outcome)
    return known
  }

  /** The last resort before `unknown`. */
  async #askOnce(pending: PendingIntent, timeoutMs: number, signal: AbortSignal | undefined): Promise<void> {
    try {
      await this.#ask(pending, timeoutMs, signal)
    } catch {
      signal?.throwIfAborted()
    }
  }
}

type Registered = CommandDefinition<unknown, unknown>

/** One call's command on its way. */
interface Copy {
  readonly plans: readonly RecordPlan[]
  readonly encoded: Uint8Array | string
  readonly agentIds: readonly string[]
  /** A write of it was acknowledged. */
  isStored: boolean
  /** A write of it was not refused. */
  mayHaveGone: boolean
  /** It is being written or asked about. */
  isBusy: boolean
}

const PENDING: StoredOutcome = {
  state: 'unknown',
  reason: 'pending',
  message: 'It was accepted and nothing was heard of it yet',
  atMs: 0,
}
const NO_ANSWER: StoredOutcome = {
  state: 'unknown',
  reason: 'no-answer',
  message: 'Nothing was heard of it in time; outcome() may resolve it later',
  atMs: 0,
}

const INTENT_ID_BYTES_MAX = 256

function checkIntentId(action: string, intentId: unknown): void {
  const why = notAnIntentId(intentId)
  if (why !== undefined) throw new SkeinError('bad-argument', `Cannot ${action}: ${why}`)
}

function notAnIntentId(intentId: unknown): string | undefined {
  if (typeof intentId !== 'string') return 'its intent id is no text'
  // As UTF-8 all such halves are the same: two ids would become one, and a command would not run.
  if (!intentId.isWellFormed()) return 'its intent id has half of a surrogate pair, which is no character'
  const bytes = Buffer.byteLength(intentId)
  if (bytes > 0 && bytes <= INTENT_ID_BYTES_MAX) return undefined
  return `an intent id has 1 to ${INTENT_ID_BYTES_MAX} bytes, this one has ${bytes}`
}

function defaultTimeoutMs(command: Registered): number {
  return command.startWithinMs + (command.completeWithinMs ?? RUN_DEFAULT_MS) + SLACK_MS
}

function sameBody<Intent extends { readonly intentId: string; readonly bodyHash: string }>(
  intent: Intent,
  hash: string,
): Intent {
  if (intent.bodyHash === hash) return intent
  throw new SkeinError(
    'intent-reused',
    `Cannot send a command as intent "${intent.intentId}": it was sent before with another body; use a new id`,
    { details: { intentId: intent.intentId } },
  )
}
