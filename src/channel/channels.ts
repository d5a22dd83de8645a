import {
  addressesBySubject,
  type BroadcastReaderOptions,
  type Bus,
  type Durability,
  type GroupReaderOptions,
  type RetryPolicy,
  type StartPosition,
} from '../bus/index.ts'
import {
  assert,
  type Clock,
  checkOptions,
  checkTimeoutMs,
  type KeysOf,
  type Random,
  SkeinError,
  UnsupportedError,
} from '../core/index.ts'
import type { ObjectStore } from '../objects/index.ts'
import type { Channel } from './channel.ts'
import { type ChannelVerb, checkChannel } from './check-channel.ts'
import { Consumption } from './consume/consumption.ts'
import { DEAD_LETTERS_KEYS, type DeadLetter, type DeadLettersOptions, readDeadLetters } from './consume/dead-letters.ts'
import { Inbound } from './consume/inbound.ts'
import { Listening } from './consume/listening.ts'
import type { MessageHandler } from './consume/partition-worker.ts'
import { Processing } from './consume/processing.ts'
import type { ReceivedMessage } from './consume/received-message.ts'
import type { EventChannel } from './event.ts'
import type { NoticeChannel } from './notice.ts'
import { CHUNKS_MAX } from './payload/large-payload-limits.ts'
import type { Admission, AgentIdentity } from './ports.ts'
import type { SubjectFields } from './publish/address.ts'
import { ChannelPublisher, type PublishOptions } from './publish/channel-publisher.ts'
import { Gate } from './publish/gate.ts'
import type { PublishReceipt } from './publish/publish-receipt.ts'
import type { QueryChannel } from './query.ts'
import { type Answerer, ASK_KEYS, type AskOptions, Queries } from './request/queries.ts'
import type { TelemetryChannel } from './telemetry.ts'
import { TopicBinding } from './topic-binding.ts'
import type { AnyChannel } from './topics-of.ts'
import { VIEW_KEYS, View, type ViewOptions } from './view/view.ts'

/** Publishes that may wait for their topic to be opened. */
const OPENING_MAX = 10_000

export interface ChannelsOptions {
  readonly bus: Bus
  readonly clock: Clock
  readonly random: Random
  /** CloudEvents source of what no agent publishes. */
  readonly source: string
  readonly principal?: string | undefined
  readonly admission?: Admission | undefined
  /** For claim checks and the snapshots of views. */
  readonly objects?: ObjectStore | undefined
  /** Lowers `safe` to a named level, which receipts then show. Default: `safe` stays what it is. */
  readonly safe?: Durability | undefined
  /** Makes of the broker's refusal of a topic what these channels' user is told. Default: as it is. */
  readonly explain?: ((error: unknown, channels: readonly AnyChannel[]) => unknown) | undefined
  /** What no caller can be told: values that cannot be decoded, a reader that cannot go on. */
  readonly onError?: ((error: unknown) => void) | undefined
}

/** A channel whose messages are stored and read by groups. */
export type StoredChannel<T> = TelemetryChannel<T> | EventChannel<T>

/** What a view folds: one channel, or several whose values it tells apart by `message.type`. */
export type ViewSource<T> = StoredChannel<T> | ReadonlyArray<StoredChannel<T>>

interface Selection {
  /** Only messages whose subject has these values in the fields of the pattern. */
  readonly fields?: Readonly<Record<string, string>>
}

export interface ProcessOptions extends Selection {
  /** Members of a group share the messages; its positions are kept. One group, one channel of a topic. */
  readonly group: string
  /** Where a group without positions starts. Default `earliest`. */
  readonly from?: StartPosition
  readonly retry?: RetryPolicy
  /** Messages of different keys of one partition handled at once. Default 1. */
  readonly concurrency?: number
  /**
   * Messages that retention took before they were read, or that damage made unreadable, are reported to `onError`; then
   * `skip` goes on behind them, `stop` ends the processing. Default `skip`.
   */
  readonly onGap?: 'skip' | 'stop'
}

export interface ConsumeOptions extends Selection {
  /** Without a group every consumer gets everything and nothing is remembered. */
  readonly group?: string
  /** Default: `earliest` for a group, `latest` without one. */
  readonly from?: StartPosition
  readonly retry?: RetryPolicy
  /** Messages per batch. Default 512; a channel that chunks needs room for a whole value, and takes 4,096. */
  readonly messagesMax?: number
  readonly signal?: AbortSignal
}

const FIELDS = { fields: true } as const

const RETRY_KEYS: KeysOf<RetryPolicy> = {
  attemptsMax: true,
  delayMs: true,
  delayMsMax: true,
  parkedMax: true,
  onDead: true,
}

const PROCESS_KEYS: KeysOf<ProcessOptions> = {
  ...FIELDS,
  group: true,
  from: true,
  retry: RETRY_KEYS,
  concurrency: true,
  onGap: true,
}

const CONSUME_KEYS: KeysOf<ConsumeOptions> = {
  ...FIELDS,
  group: true,
  from: true,
  retry: RETRY_KEYS,
  messagesMax: true,
  signal: true,
}

/** The channels of a contract on one bus, under one identity or none. */
export class Channels {
  readonly #options: ChannelsOptions
  readonly #identity: AgentIdentity | undefined
  readonly #topics: Map<string, TopicBinding>
  readonly #queries: Queries
  readonly #gates = new Map<string, Gate>()
  readonly #publishers = new Map<AnyChannel, ChannelPublisher>()
  #opening = 0
  #dropped = 0

  constructor(options: ChannelsOptions, shared?: Channels, identity?: AgentIdentity) {
    this.#options = options
    this.#identity = identity
    this.#topics = shared === undefined ? new Map() : shared.#topics
    this.#queries = new Queries({ ...options, principal: options.principal, admission: options.admission })
  }

  /** The same channels under an agent's identity, which fills fields of patterns and is the source of what it sends. */
  as(identity: AgentIdentity, options: { readonly principal?: string } = {}): Channels {
    return new Channels({ ...this.#options, ...options }, this, identity)
  }

  /** Creates or verifies the topics; queries need none. Throws `UnsupportedError` for what the bus cannot grant. Again is fine. */
  async open(channels: Iterable<AnyChannel>): Promise<void> {
    const topical = Iterator.from(channels).filter((channel) => channel.intent !== 'query')
    const groups = Map.groupBy(topical, (channel) => channel.topic)
    await Promise.all([...groups].map(([topic, sharers]) => this.#openTopic(topic, sharers)))
  }

  /** Whether the node hands out the commands of this topic, because its broker does not address by subject. It is open. */
  isHandedOut(topic: string): boolean {
    const capabilities = this.#topics.get(topic)?.capabilities
    return capabilities !== undefined && !addressesBySubject(capabilities)
  }

  /** Resolves when the batch that the value joined is stored as the channel asks. All of a batch share one receipt. */
  publish<T>(channel: TelemetryChannel<T>, value: NoInfer<T>, options?: PublishOptions): Promise<PublishReceipt> {
    return this.#send('publish', channel, value, options)
  }

  /** As `publish`, for what happened: under an id, so that a repeat within the topic's window is not stored again. */
  append<T>(channel: EventChannel<T>, value: NoInfer<T>, options?: PublishOptions): Promise<PublishReceipt> {
    return this.#send('append', channel, value, options)
  }

  /** A tombstone for the key that these fields name: on a compacted topic it deletes the key. */
  async erase<T>(channel: EventChannel<T>, fields: SubjectFields, options?: PublishOptions): Promise<PublishReceipt> {
    checkChannel('erase', channel)
    await this.#ensureOpen(channel)
    return this.#publisherOf(channel).erase(fields, options)
  }

  /**
   * Tells whoever listens now, and never waits: what the bus does not take at once is lost, and counted. Throws
   * `schema-mismatch` or `bad-subject` for a value that could not be sent at all.
   */
  notify<T>(channel: NoticeChannel<T>, value: NoInfer<T>, options?: PublishOptions): void {
    checkChannel('notify', channel)
    const publisher = this.#publishers.get(channel)
    const sent =
      publisher === undefined ? this.#openAndSend(channel, value, options) : publisher.publish(value, options)
    sent.catch((error: unknown) => {
      this.#dropped += 1
      this.#report(error)
    })
  }

  /** Notices that were lost before they reached the bus. */
  get noticesDropped(): number {
    return this.#dropped
  }

  /** Waits until a publish on this channel would not be refused as `overloaded`. */
  async ready(channel: AnyChannel, options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    await this.#ensureOpen(channel)
    await this.#binding(channel).publisher().ready(options)
  }

  /** The handler's return acknowledges, its throw is a retry of that message. Resolves once it reads. */
  async process<T>(
    channel: StoredChannel<T>,
    options: ProcessOptions,
    handler: MessageHandler<T>,
  ): Promise<Processing<T>> {
    checkChannel('process', channel)
    checkOptions(`process ${channel.topic}`, options, PROCESS_KEYS)
    await this.#ensureOpen(channel)
    return new Processing<T>({
      reader: this.#options.bus.reader(channel.topic, this.#groupOptions(channel, options)),
      inbound: this.#inbound<T>(channel),
      handler,
      clock: this.#options.clock,
      concurrency: options.concurrency,
      onGap: options.onGap,
      retry: options.retry,
      random: this.#options.random,
      messagesMin: channel.largePayloads === 'chunk' ? CHUNKS_MAX : undefined,
      onError: (error) => this.#report(error),
    })
  }

  /** Batches for a `for await` loop: asking for the next acknowledges the one before. */
  async consume<T>(channel: StoredChannel<T>, options: ConsumeOptions = {}): Promise<Consumption<T>> {
    checkChannel('consume', channel)
    checkOptions(`consume ${channel.topic}`, options, CONSUME_KEYS)
    await this.#ensureOpen(channel)
    const { group } = options
    const readerOptions =
      group === undefined
        ? this.#broadcastOptions(channel, options)
        : this.#groupOptions(channel, { ...options, group })
    return new Consumption<T>({
      reader: this.#options.bus.reader(channel.topic, readerOptions),
      inbound: this.#inbound<T>(channel),
      messagesMax: channel.largePayloads === 'chunk' ? CHUNKS_MAX : options.messagesMax,
      signal: options.signal,
      isGroup: group !== undefined,
      onError: (error) => this.#report(error),
    })
  }

  /** Hears notices sent from now on, at most once each. A slow handler loses the oldest. */
  async listen<T>(
    channel: NoticeChannel<T>,
    handler: (message: ReceivedMessage<T>) => unknown,
    options: Selection = {},
  ): Promise<Listening<T>> {
    checkChannel('listen', channel)
    checkOptions(`listen to ${channel.topic}`, options, FIELDS)
    await this.#ensureOpen(channel)
    return new Listening<T>({
      reader: this.#options.bus.reader(channel.topic, this.#broadcastOptions(channel, options)),
      inbound: this.#inbound<T>(channel),
      handler,
      onError: (error) => this.#report(error),
    })
  }

  /**
   * A state folded from these channels, in order per key. Rejects with `unsupported` on a broker whose positions are not
   * totally ordered. It is not caught up yet: await `ready()`, or `reached(receipt)` for what you wrote yourself.
   */
  async view<S, T>(channels: ViewSource<T>, options: ViewOptions<S, T>): Promise<View<S, T>> {
    checkOptions('open a view', options, VIEW_KEYS)
    const sources = [channels].flat() as ReadonlyArray<StoredChannel<T>>
    for (const source of sources) checkChannel('open a view', source)
    await this.open(sources)
    for (const source of sources) {
      if (this.#binding(source).capabilities?.totalOrder) continue
      throw new UnsupportedError(
        'views',
        `positions of ${source.topic} are not totally ordered on ${this.#options.bus.name}`,
      )
    }
    const { bus, clock, objects, principal } = this.#options
    const view = new View<S, T>(options, {
      bus,
      clock,
      objects,
      principal,
      onError: (error) => this.#report(error),
    })
    return view.start(sources)
  }

  /** What the groups of this channel's topic gave up, oldest first. */
  async deadLetters(channel: AnyChannel, options: DeadLettersOptions = {}): Promise<readonly DeadLetter[]> {
    checkOptions(`read dead letters of ${channel.topic}`, options, DEAD_LETTERS_KEYS)
    return readDeadLetters(this.#options.bus, { ...options, topic: channel.topic })
  }

  /** Gives dead letters again, in order, to the groups that lost them. Resolves to their number. */
  async replayDeadLetters(channel: AnyChannel, options: DeadLettersOptions = {}): Promise<number> {
    checkOptions(`replay dead letters of ${channel.topic}`, options, DEAD_LETTERS_KEYS)
    return this.#options.bus.admin.replayDeadLetters(channel.topic, options)
  }

  /** Rejects with `no-responder`, `timeout`, `schema-mismatch`, or `handler-failed` as the answerer failed. */
  async ask<T, R>(channel: QueryChannel<T, R>, value: NoInfer<T>, options: AskOptions = {}): Promise<R> {
    checkChannel('ask', channel)
    checkOptions(`ask ${channel.topic}`, options, ASK_KEYS)
    checkTimeoutMs(`ask ${channel.topic}`, options.timeoutMs)
    return this.#queries.ask(channel, value, { ...options, identity: this.#identity })
  }

  /** Resolves to the way to stop. A throw of the answerer fails that question. */
  async answer<T, R>(
    channel: QueryChannel<T, R>,
    answerer: Answerer<T, R>,
    options: { readonly fields?: SubjectFields } = {},
  ): Promise<() => Promise<void>> {
    checkChannel('answer', channel)
    checkOptions(`answer ${channel.topic}`, options, FIELDS)
    return this.#queries.answer(channel, answerer, { identity: this.#identity, fields: options.fields })
  }

  /** Waits until everything published is settled, of all identities, and takes nothing more. */
  async drain(): Promise<void> {
    await Promise.all([...this.#topics.values()].map((binding) => binding.drain()))
  }

  /** What waits is rejected with `closed`. */
  async close(): Promise<void> {
    await Promise.all([...this.#topics.values()].map((binding) => binding.close()))
  }

  #send(
    verb: ChannelVerb & ('publish' | 'append'),
    channel: AnyChannel,
    value: unknown,
    options: PublishOptions | undefined,
  ): Promise<PublishReceipt> {
    try {
      checkChannel(verb, channel)
    } catch (error) {
      return Promise.reject(error)
    }
    const publisher = this.#publishers.get(channel)
    if (publisher !== undefined) return publisher.publish(value, options)
    return this.#openAndSend(channel, value, options)
  }

  /** Those who wait for the same opening go on in the order of their calls. */
  async #openAndSend(
    channel: AnyChannel,
    value: unknown,
    options: PublishOptions | undefined,
  ): Promise<PublishReceipt> {
    if (this.#opening >= OPENING_MAX) throw overloadedWhileOpening(channel)
    this.#opening += 1
    try {
      await this.#ensureOpen(channel)
    } finally {
      this.#opening -= 1
    }
    return this.#publisherOf(channel).publish(value, options)
  }

  #openTopic(topic: string, channels: readonly AnyChannel[]): Promise<void> {
    const { bus, clock, principal, safe, explain } = this.#options
    let binding = this.#topics.get(topic)
    if (binding === undefined) {
      binding = new TopicBinding({ bus, clock, topic, principal, safe, explain })
      this.#topics.set(topic, binding)
    }
    const missing = channels.filter((channel) => !binding.has(channel))
    return missing.length === 0 ? binding.opened() : binding.open(missing)
  }

  #ensureOpen(channel: AnyChannel): Promise<void> {
    return this.#openTopic(channel.topic, [channel])
  }

  #binding(channel: AnyChannel): TopicBinding {
    const binding = this.#topics.get(channel.topic)
    assert(binding?.capabilities !== undefined, `topic ${channel.topic} is open`)
    return binding
  }

  #publisherOf(channel: AnyChannel): ChannelPublisher {
    const known = this.#publishers.get(channel)
    if (known !== undefined) return known
    const binding = this.#binding(channel)
    const source = this.#identity?.id ?? this.#options.source
    const publisher = new ChannelPublisher({
      channel,
      identity: this.#identity,
      headers: binding.headersOf(channel, source),
      sink: isConflating(channel) ? binding.conflatingSink() : binding.publisher(),
      gate: this.#gateOf(channel.topic),
      clock: this.#options.clock,
      random: this.#options.random,
      principal: this.#options.principal,
      admission: this.#options.admission,
      objects: this.#options.objects,
      messageBytesMax: binding.capabilities!.messageBytesMax,
    })
    this.#publishers.set(channel, publisher)
    return publisher
  }

  #gateOf(topic: string): Gate {
    const known = this.#gates.get(topic)
    if (known !== undefined) return known
    const gate = new Gate(topic)
    this.#gates.set(topic, gate)
    return gate
  }

  #inbound<T>(channel: AnyChannel): Inbound<T> {
    return new Inbound<T>({ channels: [channel], clock: this.#options.clock, objects: this.#options.objects })
  }

  #groupOptions(channel: AnyChannel, options: ProcessOptions): GroupReaderOptions {
    return {
      mode: 'group',
      group: options.group,
      subjects: [channel.subject.filterWith(options.fields ?? {})],
      ...(options.from === undefined ? {} : { from: options.from }),
      ...(options.retry === undefined ? {} : { retry: options.retry }),
      ...this.#asPrincipal(),
    }
  }

  #broadcastOptions(
    channel: AnyChannel,
    options: Selection & { readonly from?: StartPosition },
  ): BroadcastReaderOptions {
    return {
      mode: 'broadcast',
      subjects: [channel.subject.filterWith(options.fields ?? {})],
      ...(options.from === undefined ? {} : { from: options.from }),
      ...this.#asPrincipal(),
    }
  }

  #asPrincipal(): { readonly principal?: string } {
    const { principal } = this.#options
    return principal === undefined ? {} : { principal }
  }

  #report(error: unknown): void {
    this.#options.onError?.(error)
  }
}

function isConflating(channel: AnyChannel): boolean {
  return (
    channel.intent === 'telemetry' &&
    (channel as Channel<'telemetry', unknown> & { conflate?: boolean }).conflate === true
  )
}

function overloadedWhileOpening(channel: AnyChannel): SkeinError {
  return new SkeinError(
    'overloaded',
    `Cannot publish to ${channel.topic}: ${OPENING_MAX} messages wait for it to open`,
    {
      retryable: true,
      details: { topic: channel.topic },
    },
  )
}
