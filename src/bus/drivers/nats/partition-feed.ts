import { SkeinError } from '../../../core/index.ts'
import { REPLAY_HEADER } from '../../kit/index.ts'
import type { Connection } from './connection.ts'
import { HeaderDecoder } from './header-decoder.ts'
import type { LogTopic } from './log-topic.ts'
import { type DeliverySource, NatsDelivery } from './nats-delivery.ts'
import { PullSource } from './pull-source.ts'
import type { ReadSizes } from './read-loop.ts'
import type { StoredMessage } from './stored-message.ts'
import { type StreamFilters, streamFilters } from './stream-filters.ts'

export interface FeedOptions {
  readonly partition: number
  readonly subjects: readonly string[] | undefined
  /** Messages replayed for another group are passed over. */
  readonly group: string | undefined
  readonly bufferBytesMax: number
  readonly onChange: () => void
}

/** What a reader does with a message: give it, pass over it for good, or stop before it. */
/** A number: give it, as that attempt. `skip`: not for this reader, or not now. `stop`: not now, and nothing after it. */
type Decision = 'skip' | 'stop' | number

/** The messages of one partition that concern one reader, in order. */
export class PartitionFeed {
  readonly partition: number
  readonly source: DeliverySource
  /** The next offset that was not looked at. */
  position = 0
  readonly #pull: PullSource
  readonly #filters: StreamFilters
  readonly #group: string | undefined
  readonly #connection: Connection

  constructor(topic: LogTopic, connection: Connection, options: FeedOptions) {
    const { settings, names } = topic
    const { partition } = options
    const prefix = names.prefix(partition)
    this.partition = partition
    const headers = new HeaderDecoder()
    this.source = { topic: settings.name, partition, prefixLength: prefix.length, ttlMs: settings.ttlMs, headers }
    this.#filters = streamFilters(options.subjects, settings.compaction !== undefined)
    this.#group = options.group
    this.#connection = connection
    const { ageMs, bytes } = settings.retention
    this.#pull = new PullSource(connection, {
      stream: names.stream(partition),
      filters: this.#filters.server?.map((filter) => prefix + filter),
      bufferBytesMax: options.bufferBytesMax,
      messageBytesMax: settings.messageBytesMax,
      tellsGaps: (ageMs ?? bytes) !== undefined,
      onChange: options.onChange,
    })
  }

  get isReady(): boolean {
    return this.#pull.isReady
  }

  get isAtTail(): boolean {
    return this.#pull.isAtTail
  }

  askAtTail(): Promise<boolean> {
    return this.#pull.askAtTail()
  }

  get hasMore(): boolean {
    return this.#pull.front !== undefined
  }

  /** A gap says of which partition it is. */
  takeProblem(): SkeinError | undefined {
    const problem = this.#pull.takeProblem()
    if (problem?.code !== 'position-gone') return problem
    const details = { ...problem.details, topic: this.source.topic, partition: this.source.partition }
    return new SkeinError(problem.code, problem.message, { cause: problem, details })
  }

  moveTo(offset: number): Promise<void> {
    this.position = offset
    return this.#pull.startAt(offset + 1)
  }

  /** Gives deliveries until a limit is reached, nothing is fetched, or `decide` says stop. */
  take(sizes: ReadSizes, decide: (delivery: NatsDelivery, count: number) => Decision): NatsDelivery[] {
    const taken: NatsDelivery[] = []
    let bytesLeft = sizes.bytesMax
    const nowMs = this.#connection.serverNowMs
    for (let front = this.#pull.front; front !== undefined; front = this.#pull.front) {
      if (taken.length >= sizes.countMax || bytesLeft <= 0) break
      const delivery = new NatsDelivery(this.source, front)
      const decision = this.#concerns(delivery, nowMs) ? decide(delivery, taken.length) : 'skip'
      if (decision === 'stop') break
      this.#pull.shift()
      this.position = delivery.offset + 1
      if (decision === 'skip') continue
      delivery.attempt = decision
      taken.push(delivery)
      bytesLeft -= front.byteLength
    }
    return taken
  }

  #concerns(delivery: NatsDelivery, nowMs: number): boolean {
    if (delivery.offset < this.position || delivery.isExpired(nowMs)) return false
    const { wants } = this.#filters
    if (wants !== undefined && !wants(delivery.subject)) return false
    const replayedFor = delivery.headers[REPLAY_HEADER]
    return replayedFor === undefined || replayedFor === this.#group
  }

  /** A message that was looked at before, fetched again; undefined when it has expired meanwhile. */
  again(stored: StoredMessage): NatsDelivery | undefined {
    const delivery = new NatsDelivery(this.source, stored)
    return delivery.isExpired(this.#connection.serverNowMs) ? undefined : delivery
  }

  close(): void {
    this.#pull.close()
  }
}
