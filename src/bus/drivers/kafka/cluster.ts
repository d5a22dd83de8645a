import type { Connection, ConnectionPool } from '@platformatic/kafka'
import { type Clock, ClosedError, type Random, SkeinError } from '../../../core/index.ts'
import { isMoved, isRetriable, KAFKA, kafkaCode, protocolErrorOf, skeinError } from './kafka-error.ts'
import { type BrokerAddress, parseKafkaUrl } from './kafka-url.ts'
import type { KafkaLibrary } from './load-library.ts'
import type { KafkaBusOptions, KafkaStatus } from './options.ts'

const CONNECT_MS = 5_000
const REQUEST_MS = 10_000
const RETRY_FOR_MS = 30_000
const BACKOFF_MS = 50
const BACKOFF_MS_MAX = 2_000
const IN_FLIGHT_MAX = 64

export interface BrokerInfo extends BrokerAddress {
  readonly nodeId: number
  readonly rack: string | undefined
}

export interface PartitionInfo {
  readonly leader: number
  readonly replicas: readonly number[]
  readonly inSync: readonly number[]
}

export interface TopicInfo {
  readonly id: string
  readonly partitions: readonly PartitionInfo[]
}

/** What goes over one connection does not wait for what goes over another. */
export type Lane = 'control' | 'prompt' | 'bulk' | `fetch-${number}`

export interface RetryOptions {
  readonly signal?: AbortSignal | undefined
  readonly withinMs?: number
}

/**
 * Who the brokers are, who leads what, and a connection to each: the library's connections (TLS, SASL, framing), our
 * metadata and retries.
 */
export class Cluster {
  readonly kafka: KafkaLibrary
  readonly clock: Clock
  readonly random: Random
  readonly clientId: string
  readonly rack: string | undefined
  readonly retryForMs: number
  readonly #options: KafkaBusOptions
  readonly #bootstrap: readonly BrokerAddress[]
  readonly #pools = new Map<Lane, ConnectionPool>()
  readonly #closing = new AbortController()
  readonly #topics = new Map<string, TopicInfo>()
  readonly #coordinators = new Map<string, number>()
  #brokers = new Map<number, BrokerInfo>()
  #refreshing = new Map<string, Promise<TopicInfo | undefined>>()
  #status: KafkaStatus = { state: 'disconnected', reason: 'not connected yet' }
  #fetchLanes = 0

  constructor(kafka: KafkaLibrary, options: KafkaBusOptions) {
    this.kafka = kafka
    this.clock = options.clock
    this.random = options.random
    this.clientId = options.clientId ?? 'skein'
    this.rack = options.rack
    this.retryForMs = options.retryForMs ?? RETRY_FOR_MS
    this.#options = options
    this.#bootstrap = parseKafkaUrl(options.url)
  }

  get status(): KafkaStatus {
    return this.#status
  }

  get isClosed(): boolean {
    return this.#closing.signal.aborted
  }

  /** Aborted when the bus closes. */
  get closing(): AbortSignal {
    return this.#closing.signal
  }

  get brokers(): ReadonlyMap<number, BrokerInfo> {
    return this.#brokers
  }

  /** A connection of its own for one reader's fetches. */
  newFetchLane(): Lane {
    this.#fetchLanes += 1
    return `fetch-${this.#fetchLanes}`
  }

  #pool(lane: Lane): ConnectionPool {
    let pool = this.#pools.get(lane)
    if (pool === undefined) {
      const { tls, sasl, requestTimeoutMs } = this.#options
      pool = new this.kafka.ConnectionPool(this.clientId, {
        connectTimeout: CONNECT_MS,
        requestTimeout: requestTimeoutMs ?? REQUEST_MS,
        maxInflights: IN_FLIGHT_MAX,
        ...(tls && { tls }),
        ...(sasl && { sasl }),
      })
      // Every request in flight is told of a broken connection; the event itself concerns nobody.
      pool.on('connecting', ({ connection }) => connection.on('error', () => {}))
      this.#pools.set(lane, pool)
    }
    return pool
  }

  closeLane(lane: Lane): void {
    const pool = this.#pools.get(lane)
    this.#pools.delete(lane)
    if (pool !== undefined) closePool(pool)
  }

  /** A connection to one broker; rejects with the library's error. */
  async connection(nodeId: number, lane: Lane = 'control'): Promise<Connection> {
    if (this.isClosed) throw new ClosedError('the bus')
    return this.#pool(lane).get(this.#brokers.get(nodeId)!)
  }

  async #anyConnection(): Promise<Connection> {
    if (this.isClosed) throw new ClosedError('the bus')
    const known: BrokerAddress[] = [...this.#brokers.values(), ...this.#bootstrap]
    const start = Math.floor(this.random.float() * Math.max(1, this.#brokers.size))
    let failure: unknown
    for (let index = 0; index < known.length; index += 1) {
      const at = index < this.#brokers.size ? (start + index) % this.#brokers.size : index
      try {
        return await this.#pool('control').get(known[at]!)
      } catch (error) {
        failure = error
        if (!isRetriable(error)) throw error
      }
    }
    throw failure
  }

  /** One request to one broker, or to any; not repeated. */
  async ask<T>(node: number | 'any', request: (connection: Connection) => Promise<T>, lane?: Lane): Promise<T> {
    const connection = node === 'any' ? await this.#anyConnection() : await this.connection(node, lane)
    const answer = await request(connection)
    this.#tell({ state: 'connected', reason: undefined })
    return answer
  }

  #tell(status: KafkaStatus): void {
    if (status.state === this.#status.state) return
    this.#status = status
    this.#options.onStatus?.(status)
  }

  /** Repeats with full jitter while the failure may pass, within a bound. Rejects with a typed error. */
  async retrying<T>(action: string, attempt: () => Promise<T>, options: RetryOptions = {}): Promise<T> {
    const deadlineMs = this.clock.monotonicMs() + (options.withinMs ?? this.retryForMs)
    for (let tries = 0; ; tries += 1) {
      options.signal?.throwIfAborted()
      try {
        return await attempt()
      } catch (error) {
        if (this.isClosed) throw new ClosedError('the bus')
        if (!isRetriable(error) || this.clock.monotonicMs() >= deadlineMs) {
          this.noteFailure(error)
          throw skeinError(error, action)
        }
        this.noteFailure(error)
        await this.backOff(tries, options.signal)
      }
    }
  }

  /** A connection that failed is visible; an answer that was an error is not the connection's fault. */
  noteFailure(error: unknown): void {
    if (kafkaCode(error) === undefined && isMoved(error)) {
      this.#tell({ state: 'disconnected', reason: skeinError(error, 'reach Kafka').message })
    }
  }

  /** Full jitter: from nothing to the doubled bound. */
  async backOff(tries: number, signal?: AbortSignal): Promise<void> {
    const limitMs = Math.min(BACKOFF_MS_MAX, BACKOFF_MS * 2 ** Math.min(tries, 20))
    const delayMs = 1 + this.random.float() * limitMs
    const stop = signal === undefined ? this.closing : AbortSignal.any([signal, this.closing])
    await this.clock.sleep(delayMs, { signal: stop }).catch((error: unknown) => {
      if (this.isClosed) throw new ClosedError('the bus')
      throw error
    })
  }

  /** Reads brokers and, where named, topics. A topic that does not exist is left out. */
  async refresh(topics: readonly string[] | null): Promise<ReadonlyMap<string, TopicInfo>> {
    const { metadataV12 } = this.kafka
    const answer = await this.ask('any', (connection) =>
      metadataV12.api.async(connection, topics === null ? null : [...topics], false, false),
    ).catch((error: unknown) => {
      const response = (error as { response?: Awaited<ReturnType<typeof metadataV12.api.async>> }).response
      if (response === undefined) throw error
      return response
    })
    if (answer.brokers.length > 0) {
      this.#brokers = new Map(
        answer.brokers.map(({ nodeId, host, port, rack }) => [nodeId, { nodeId, host, port, rack: rack ?? undefined }]),
      )
    }
    const found = new Map<string, TopicInfo>()
    for (const topic of answer.topics) {
      const name = topic.name ?? ''
      this.#topics.delete(name)
      if (topic.errorCode === KAFKA.TOPIC_AUTHORIZATION_FAILED) throw notAllowed(name)
      if (topic.errorCode !== 0) continue
      const partitions: PartitionInfo[] = []
      for (const one of topic.partitions) {
        partitions[one.partitionIndex] = { leader: one.leaderId, replicas: one.replicaNodes, inSync: one.isrNodes }
      }
      const info = { id: topic.topicId, partitions }
      this.#topics.set(name, info)
      found.set(name, info)
    }
    return found
  }

  /** Undefined when there is no such topic. */
  async topic(name: string, options: { readonly fresh?: boolean } = {}): Promise<TopicInfo | undefined> {
    const known = this.#topics.get(name)
    if (known !== undefined && options.fresh !== true) return known
    let refreshing = this.#refreshing.get(name)
    if (refreshing === undefined) {
      refreshing = this.refresh([name])
        .then((found) => found.get(name))
        .finally(() => this.#refreshing.delete(name))
      this.#refreshing.set(name, refreshing)
    }
    return refreshing
  }

  forgetTopic(name: string): void {
    this.#topics.delete(name)
  }

  /** As last heard; -1 while nobody leads it. */
  leaderOf(topic: string, partition: number): number {
    return this.#topics.get(topic)?.partitions[partition]?.leader ?? -1
  }

  /** Asks the leader of a partition, and again elsewhere when it has moved. */
  askLeader<T>(
    where: { readonly topic: string; readonly partition: number },
    request: (connection: Connection) => Promise<T>,
    options: RetryOptions & { readonly action: string; readonly lane?: Lane },
  ): Promise<T> {
    let isStale = false
    return this.retrying(
      options.action,
      async () => {
        const info = await this.topic(where.topic, { fresh: isStale })
        isStale = true
        const leader = info?.partitions[where.partition]?.leader ?? -1
        if (leader < 0)
          throw protocolErrorOf(
            this.kafka,
            info === undefined ? KAFKA.UNKNOWN_TOPIC_OR_PARTITION : KAFKA.LEADER_NOT_AVAILABLE,
          )
        return this.ask(leader, request, options.lane)
      },
      options,
    )
  }

  /** Asks the coordinator of a group or a transactional id, and looks for it again when it has moved. */
  askCoordinator<T>(
    of: { readonly kind: 'group' | 'transaction'; readonly key: string },
    request: (connection: Connection) => Promise<T>,
    options: RetryOptions & { readonly action: string },
  ): Promise<T> {
    return this.retrying(options.action, () => this.askCoordinatorOnce(of, request), options)
  }

  async askCoordinatorOnce<T>(
    of: { readonly kind: 'group' | 'transaction'; readonly key: string },
    request: (connection: Connection) => Promise<T>,
  ): Promise<T> {
    const id = `${of.kind}/${of.key}`
    try {
      let node = this.#coordinators.get(id)
      if (node === undefined) {
        node = await this.#findCoordinator(of)
        this.#coordinators.set(id, node)
      }
      return await this.ask(node, request)
    } catch (error) {
      if (isMoved(error)) this.#coordinators.delete(id)
      throw error
    }
  }

  async #findCoordinator(of: { readonly kind: 'group' | 'transaction'; readonly key: string }): Promise<number> {
    const { findCoordinatorV4, FindCoordinatorKeyTypes } = this.kafka
    const type = of.kind === 'group' ? FindCoordinatorKeyTypes.GROUP : FindCoordinatorKeyTypes.TRANSACTION
    const answer = await this.ask('any', (connection) => findCoordinatorV4.api.async(connection, type, [of.key]))
    const found = answer.coordinators[0]!
    this.#brokers.set(found.nodeId, {
      rack: this.#brokers.get(found.nodeId)?.rack,
      nodeId: found.nodeId,
      host: found.host,
      port: found.port,
    })
    return found.nodeId
  }

  close(): void {
    if (this.isClosed) return
    this.#closing.abort(new ClosedError('the bus'))
    for (const pool of this.#pools.values()) closePool(pool)
    this.#pools.clear()
  }
}

/** Nothing that was to be finished is on its way any more: the sockets need not be waited for. */
function closePool(pool: ConnectionPool): void {
  const sockets = [...pool].map(([, connection]) => connection.socket)
  pool.close().catch(() => {})
  for (const socket of sockets) socket?.destroy()
}

function notAllowed(topic: string): SkeinError {
  return new SkeinError('unauthorised', `Cannot use topic "${topic}": Kafka does not let this client see it`, {
    details: { topic },
  })
}
