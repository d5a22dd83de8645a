import { ClosedError, SkeinError, UnsupportedError } from '../../../core/index.ts'
import type {
  Bus,
  Capabilities,
  Reader,
  ReaderOptions,
  Requests,
  TopicSpec,
  Transaction,
  TransactionOptions,
  Writer,
  WriterOptions,
} from '../../index.ts'
import { KafkaAdmin } from './admin/kafka-admin.ts'
import { Cluster } from './cluster.ts'
import { DeadLetters } from './group/dead-letters.ts'
import { GroupReader } from './group/group-reader.ts'
import { loadKafkaLibrary } from './load-library.ts'
import type { KafkaBusOptions, KafkaStatus } from './options.ts'
import { Compressor } from './protocol/compression.ts'
import { BroadcastReader } from './read/broadcast-reader.ts'
import { TopicStore } from './topic/topic-store.ts'
import { Transactions } from './transaction/transactions.ts'
import { KafkaWriter } from './write/kafka-writer.ts'
import { Producer } from './write/producer.ts'

const CONNECT_MS = 10_000

/**
 * Connects to Kafka 4.0 or later. Rejects with `connection-lost` when no broker answers in time, `unauthorised` for wrong
 * credentials, `bad-config` when TLS does not match, `unsupported` when the client library is not installed.
 */
export async function connectKafkaBus(options: KafkaBusOptions): Promise<KafkaBus> {
  const kafka = await loadKafkaLibrary()
  const cluster = new Cluster(kafka, options)
  try {
    await cluster.retrying(`connect to ${options.url}`, () => cluster.refresh([]), {
      withinMs: options.connectTimeoutMs ?? CONNECT_MS,
      signal: options.signal,
    })
  } catch (error) {
    cluster.close()
    throw error
  }
  return new KafkaBus(cluster, options)
}

type AnyReader = GroupReader | BroadcastReader

/** The bus over a Kafka cluster. */
export class KafkaBus implements Bus {
  readonly name = 'kafka'
  readonly requests: Requests = noRequests
  readonly admin: KafkaAdmin
  readonly #cluster: Cluster
  readonly #options: KafkaBusOptions
  readonly #producer: Producer
  readonly #compressor: Compressor
  readonly #topics: TopicStore
  readonly #deadLetters: DeadLetters
  readonly #transactions: Transactions
  readonly #readers = new Map<AnyReader, string>()
  readonly #writers = new Map<Writer, string>()
  #isClosing = false
  #closed: Promise<void> | undefined

  constructor(cluster: Cluster, options: KafkaBusOptions) {
    this.#cluster = cluster
    this.#options = options
    this.#producer = new Producer(cluster)
    this.#compressor = new Compressor(cluster.kafka)
    this.#topics = new TopicStore({ cluster, producer: this.#producer, more: options.topicConfigs ?? {} })
    this.#deadLetters = new DeadLetters(cluster, this)
    this.#transactions = new Transactions(cluster, (topic) => this.#topics.get(topic))
    this.admin = new KafkaAdmin({
      cluster,
      topics: this.#topics,
      deadLetters: this.#deadLetters,
      closeUsers: (topic) => this.#closeUsers(topic),
    })
  }

  /** Whether the brokers can be reached now. */
  get status(): KafkaStatus {
    return this.#cluster.status
  }

  async open(topic: TopicSpec): Promise<Capabilities> {
    this.#checkOpen()
    return this.#topics.open(topic)
  }

  #checkOpen(): void {
    if (this.#isClosing) throw new ClosedError('the bus')
  }

  writer(topic: string, options: WriterOptions = {}): Writer {
    this.#checkOpen()
    const found = this.#topics.get(topic)
    const writer: Writer = new KafkaWriter(found, {
      options,
      clock: this.#options.clock,
      lanes: this.#producer.lanes(found),
      onClosed: () => this.#writers.delete(writer),
    })
    this.#writers.set(writer, topic)
    return writer
  }

  reader(topic: string, options: ReaderOptions): Reader {
    this.#checkOpen()
    const found = this.#topics.get(topic)
    const parts = { cluster: this.#cluster, compressor: this.#compressor, topic: found }
    const onClosed = () => this.#readers.delete(reader)
    let reader: AnyReader
    if (options.mode === 'broadcast') reader = new BroadcastReader({ ...parts, options, onClosed })
    else {
      this.#checkFilter(topic, options)
      reader = new GroupReader({
        ...parts,
        options,
        deadLetters: this.#deadLetters,
        heartbeatIntervalMs: this.#options.heartbeatIntervalMs,
        onClosed,
        onChange: () => this.#lookElsewhere(reader as GroupReader),
      })
    }
    this.#readers.set(reader, topic)
    return reader
  }

  async transaction(options: TransactionOptions): Promise<Transaction> {
    this.#checkOpen()
    return this.#transactions.begin(options)
  }

  #groupReaders(topic: string, group: string): GroupReader[] {
    return [...this.#readers.keys()].filter(
      (reader): reader is GroupReader =>
        reader instanceof GroupReader && reader.topicName === topic && reader.group === group,
    )
  }

  /** The group's other readers in this process need not wait for their next report to the broker. */
  #lookElsewhere(changed: GroupReader): void {
    for (const reader of this.#groupReaders(changed.topicName, changed.group)) if (reader !== changed) reader.look()
  }

  /** Two filters in one group would let each reader skip what the other was to have. */
  #checkFilter(topic: string, options: { readonly group: string; readonly subjects?: readonly string[] }): void {
    const other = this.#groupReaders(topic, options.group)[0]
    if (other === undefined || filterText(other.filter?.filters) === filterText(options.subjects)) return
    throw new SkeinError(
      'bad-argument',
      `Cannot read "${topic}" as group "${options.group}" with subjects ${filterText(options.subjects)}: ` +
        `its other readers have ${filterText(other.filter?.filters)}; use the same, or another group`,
      { details: { group: options.group } },
    )
  }

  async #closeUsers(topic: string): Promise<void> {
    const users = [...this.#readers, ...this.#writers].filter(([, name]) => name === topic)
    await Promise.all(users.map(([user]) => user.close()))
  }

  drain(): Promise<void> {
    this.#closed ??= this.#shutDown({ drain: true })
    return this.#closed
  }

  close(): Promise<void> {
    this.#closed ??= this.#shutDown({ drain: false })
    return this.#closed
  }

  async #shutDown(options: { readonly drain: boolean }): Promise<void> {
    this.#isClosing = true
    const users = [...this.#writers.keys(), ...this.#readers.keys()]
    await Promise.all(users.map((user) => (options.drain ? user.drain() : user.close())))
    this.#cluster.close()
  }

  /** Lets go of the cluster as a process that is killed does: nothing is finished, committed or said. For tests. */
  async vanish(): Promise<void> {
    this.#isClosing = true
    for (const reader of this.#readers.keys()) {
      if (reader instanceof GroupReader) reader.vanish()
      else void reader.close()
    }
    this.#closed ??= Promise.resolve(this.#cluster.close())
    await this.#closed
  }
}

function filterText(filters: readonly string[] | undefined): string {
  return filters === undefined ? 'all' : JSON.stringify([...filters].sort())
}

const NO_REQUESTS = new UnsupportedError(
  'requests',
  'Kafka has no request and reply; bind queries to a broker that has it, such as NATS',
)

const noRequests: Requests = {
  ask: () => Promise.reject(NO_REQUESTS),
  answer: () => Promise.reject(NO_REQUESTS),
}
