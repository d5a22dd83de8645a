import {
  type Admin,
  type Bus,
  type Capabilities,
  type Durability,
  deadLetterTopic,
  isOwnTopic,
  LateReader,
  LateWriter,
  type Reader,
  type ReaderOptions,
  type Requests,
  type TopicSpec,
  type Transaction,
  type TransactionOptions,
  type Writer,
  type WriterOptions,
} from '../../bus/index.ts'
import { loweredTopic } from '../../channel/index.ts'
import { type Clock, SkeinError, UnsupportedError } from '../../core/index.ts'
import { brokerOf, type IntentRoutes, type NamedBroker } from './bind-intents.ts'
import { boundAdmin } from './bound-admin.ts'

/** One broker of a binding, connected. */
export interface BoundBroker extends NamedBroker {
  readonly bus: Bus
  /** What `safe` means here. Default: `safe` stays what it is. */
  readonly safe: Durability | undefined
}

/** Where a topic was found, and whether it is open there. */
interface Place {
  readonly broker: BoundBroker
  isOpen: boolean
}

/** What is in front of the topic in the name of its dead letters. */
const DEAD_LETTERS = deadLetterTopic('')

/**
 * Several brokers as one bus: each topic lies on the broker that its intent is bound to, with its dead letters. What is
 * above it need not know that there are several.
 */
export class BoundBus implements Bus {
  readonly name: string
  readonly requests: Requests
  readonly admin: Admin
  readonly routes: IntentRoutes<BoundBroker>
  readonly #clock: Clock
  readonly #brokers: readonly BoundBroker[]
  readonly #places = new Map<string, Place>()
  /** Topics that were found where they are not bound. */
  readonly #strays: ReadonlyMap<BoundBroker, Set<string>>

  constructor(brokers: readonly BoundBroker[], routes: IntentRoutes<BoundBroker>, clock: Clock) {
    this.#clock = clock
    this.#brokers = brokers
    this.#strays = new Map(brokers.map((broker) => [broker, new Set()]))
    this.routes = routes
    this.name = brokers.map(({ name }) => name).join('+')
    this.requests = routes.byIntent.query.bus.requests
    this.admin = boundAdmin({
      listTopics: () => this.#list(),
      brokerOf: (topic) => this.#find(topic),
      onDeleted: (topic) => this.#places.delete(topic),
    })
  }

  /** The roster lies in this process, which is the node then. */
  get isHere(): boolean {
    return this.routes.own.kind === 'memory' || this.routes.own.kind === 'embedded'
  }

  /** Where a topic with this spec lies, or would. */
  brokerFor(spec: TopicSpec): BoundBroker {
    return this.#places.get(spec.name)?.broker ?? brokerOf(this.routes, spec, isOwnTopic(spec.name))
  }

  async open(spec: TopicSpec): Promise<Capabilities> {
    const broker = this.brokerFor(spec)
    const capabilities = await broker.bus.open(loweredTopic(spec, broker.safe))
    this.#places.set(spec.name, { broker, isOpen: true })
    return capabilities
  }

  writer(topic: string, options?: WriterOptions): Writer {
    const place = this.#places.get(topic)
    if (place?.isOpen) return place.broker.bus.writer(topic, options)
    return new LateWriter(topic, async () => (await this.#opened(topic)).writer(topic, options))
  }

  reader(topic: string, options: ReaderOptions): Reader {
    const place = this.#places.get(topic)
    if (place?.isOpen) return place.broker.bus.reader(topic, options)
    return new LateReader(topic, async () => (await this.#opened(topic)).reader(topic, options), this.#clock)
  }

  /** On the one broker that has transactions: all that is read and written in it must lie there. */
  async transaction(options: TransactionOptions): Promise<Transaction> {
    const bus = this.#brokers.find((broker) => broker.bus.transaction !== undefined)?.bus
    if (bus?.transaction !== undefined) return bus.transaction(options)
    throw new UnsupportedError('transactions', `none of ${this.name} has them; bind events to Kafka`)
  }

  async drain(): Promise<void> {
    await Promise.all(this.#brokers.map(({ bus }) => bus.drain()))
  }

  async close(): Promise<void> {
    await Promise.all(this.#brokers.map(({ bus }) => bus.close()))
  }

  /** The bus of a topic that somebody else has opened, which is opened here as it is. */
  async #opened(topic: string): Promise<Bus> {
    const broker = await this.#find(topic)
    const place = this.#places.get(topic)
    if (place?.isOpen) return broker.bus
    const { spec } = await broker.bus.admin.describeTopic(topic)
    await broker.bus.open(spec)
    this.#places.set(topic, { broker, isOpen: true })
    return broker.bus
  }

  /** Rejects with `not-found` for a topic that is not there, or not on the broker it is bound to. */
  async #find(topic: string): Promise<BoundBroker> {
    const known = this.#places.get(topic)
    if (known !== undefined) return known.broker
    for (const broker of this.#brokers) if (await this.#isBoundTo(broker, topic)) return broker
    const where = this.#brokers.map(({ name }) => name).join(', ')
    throw new SkeinError(
      'not-found',
      `Cannot use topic "${topic}": none of ${where} has it where it is bound; open it first`,
      {
        details: { topic },
      },
    )
  }

  async #list(): Promise<readonly string[]> {
    const lists = await Promise.all(
      this.#brokers.map(async (broker) => {
        const names = await broker.bus.admin.listTopics()
        const areBound = await Promise.all(names.map((name) => this.#isBoundTo(broker, name)))
        return names.filter((_, index) => areBound[index])
      }),
    )
    return [...new Set(lists.flat())].sort()
  }

  /** A topic that its intent is not bound to this broker for is none of this binding's, whoever made it. */
  async #isBoundTo(broker: BoundBroker, topic: string): Promise<boolean> {
    const known = this.#places.get(topic)
    if (known !== undefined) return known.broker === broker
    if (topic.startsWith(DEAD_LETTERS)) return this.#isBoundTo(broker, topic.slice(DEAD_LETTERS.length))
    const strays = this.#strays.get(broker)!
    if (strays.has(topic)) return false
    const spec = await specOn(broker.bus, topic)
    if (spec === undefined) return false
    if (brokerOf(this.routes, spec, isOwnTopic(topic)) !== broker) {
      strays.add(topic)
      return false
    }
    this.#places.set(topic, { broker, isOpen: false })
    return true
  }
}

async function specOn(bus: Bus, topic: string): Promise<TopicSpec | undefined> {
  try {
    return (await bus.admin.describeTopic(topic)).spec
  } catch (error) {
    const isAbsent = error instanceof SkeinError && (error.code === 'not-found' || error.code === 'unsupported')
    if (isAbsent) return undefined
    throw error
  }
}
