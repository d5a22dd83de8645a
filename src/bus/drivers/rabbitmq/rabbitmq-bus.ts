import { ClosedError, UnsupportedError } from '../../../core/index.ts'
import type {
  Bus,
  Capabilities,
  GroupReaderOptions,
  Reader,
  ReaderOptions,
  TopicSpec,
  Writer,
  WriterOptions,
} from '../../index.ts'
import { LateReader } from '../../kit/index.ts'
import { RabbitmqAdmin } from './admin.ts'
import { BroadcastReader } from './broadcast-reader.ts'
import { DeadLetters } from './dead-letters.ts'
import { EphemeralReader } from './ephemeral-reader.ts'
import type { FeedStart } from './feed-start.ts'
import { GroupLag } from './group-lag.ts'
import { GroupReader } from './group-reader.ts'
import { Links } from './links.ts'
import { Names } from './names.ts'
import type { RabbitmqBusOptions } from './options.ts'
import type { PlaceParts } from './place.ts'
import { RabbitmqRequests } from './requests.ts'
import { isAtLeast, type ServerFacts, serverFacts } from './server-facts.ts'
import { StreamFeed } from './stream-feed.ts'
import { StreamPlaces } from './stream-places.ts'
import { StreamShares } from './stream-shares.ts'
import { TopicRegistry } from './topic-registry.ts'
import { TopicWriter } from './topic-writer.ts'
import { type OpenTopic, Topics } from './topics.ts'
import { WorkGroups } from './work-groups.ts'
import { WorkShares } from './work-shares.ts'

const BUFFER_BYTES_MAX = 4 * 1024 * 1024
const CONNECT_TIMEOUT_MS = 10_000

/** A bus whose messages lie on a RabbitMQ broker. */
export interface RabbitmqBus extends Bus {
  /** Which broker it is, and what its version lacks. */
  readonly server: ServerFacts
}

/**
 * Connects to RabbitMQ. Rejects with `connection-lost` naming the address when nobody answers within `connectTimeoutMs`, with
 * `unauthorised` for a user, password, virtual host or certificate that is refused, with `signal.reason`.
 */
export async function connectRabbitmqBus(options: RabbitmqBusOptions): Promise<RabbitmqBus> {
  const links = await Links.create(options)
  try {
    const timeoutMs = options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS
    const connection = await links.control.open(timeoutMs, options.signal)
    const bus = new BrokerBus(options, links, serverFacts(connection.model))
    await bus.learn()
    return bus
  } catch (error) {
    await links.close()
    throw error
  }
}

class BrokerBus implements RabbitmqBus {
  readonly name = 'rabbitmq'
  readonly server: ServerFacts
  readonly requests: RabbitmqRequests
  readonly admin: RabbitmqAdmin
  readonly #options: RabbitmqBusOptions
  readonly #links: Links
  readonly #names: Names
  readonly #registry: TopicRegistry
  readonly #topics: Topics
  readonly #workGroups: WorkGroups
  readonly #places: StreamPlaces
  readonly #deadLetters: DeadLetters
  readonly #readers = new Map<Reader, string>()
  readonly #groupReaders = new Map<GroupReader, { readonly topic: string; readonly group: string }>()
  readonly #writers = new Map<Writer, string>()
  #isClosing = false
  #closed: Promise<void> | undefined

  constructor(options: RabbitmqBusOptions, links: Links, server: ServerFacts) {
    this.#options = options
    this.#links = links
    this.server = server
    const { clock, random } = options
    const names = new Names(options.namespace ?? 'skein')
    const link = links.control
    const cluster = { members: options.members ?? 1 }
    this.#names = names
    this.#registry = new TopicRegistry(link, { stream: names.registry, members: cluster.members })
    this.#topics = new Topics({ ...{ link, names, cluster, server, clock }, registry: this.#registry })
    this.#workGroups = new WorkGroups({ ...this.#placeParts, names, registry: this.#registry })
    this.#places = new StreamPlaces({ link, names, clock })
    this.#deadLetters = new DeadLetters({
      ...{ link, names, clock, random, topics: this.#topics, place: this.#placeParts },
      writer: (topic) => this.#writer(topic.settings.name, topic, {}),
    })
    this.requests = new RabbitmqRequests({ link: links.urgent, names, clock, random })
    this.admin = new RabbitmqAdmin({
      topics: this.#topics,
      places: this.#places,
      deadLetters: this.#deadLetters,
      groupLag: this.#groupLag(),
      closeUsers: (topic) => this.#closeUsers(topic),
    })
  }

  /** Which topics there are: writers and readers of those need not ask. */
  learn(): Promise<void> {
    return this.#registry.refresh()
  }

  get #placeParts(): Omit<PlaceParts, 'queue' | 'what'> {
    const { clock, random, members = 1 } = this.#options
    const hasDeliveryLimit = isAtLeast(this.server.version, 4, 0)
    return { link: this.#links.control, clock, random, members, hasDeliveryLimit }
  }

  #groupLag(): GroupLag {
    return new GroupLag({
      ...{ link: this.#links.control, names: this.#names, places: this.#places, place: this.#placeParts },
      topics: this.#topics,
      workGroups: this.#workGroups,
      local: async (topic, group) => {
        const own = [...this.#groupReaders].filter(([, of]) => of.topic === topic && of.group === group)
        return (await Promise.all(own.map(([reader]) => reader.lag()))).flat()
      },
    })
  }

  async open(spec: TopicSpec): Promise<Capabilities> {
    this.#checkOpen()
    return (await this.#topics.open(spec)).capabilities
  }

  #checkOpen(): void {
    if (this.#isClosing) throw new ClosedError('the bus')
  }

  writer(topic: string, options: WriterOptions = {}): Writer {
    this.#checkOpen()
    return this.#writer(topic, this.#topics.find(topic) ?? this.#topics.get(topic), options)
  }

  #writer(name: string, topic: OpenTopic | Promise<OpenTopic>, options: WriterOptions): Writer {
    const { clock, random } = this.#options
    const writer: TopicWriter = new TopicWriter({
      ...{ topic, name, options, clock },
      producer: Buffer.from(random.bytes(9)).toString('base64url'),
      link: (intent) => (intent === 'command' ? this.#links.urgent : this.#links.bulk),
      exchange: this.#names.exchange(name),
      stream: (partition) => this.#names.stream(name, partition),
      onClosed: () => this.#writers.delete(writer),
    })
    this.#writers.set(writer, name)
    return writer
  }

  reader(topic: string, options: ReaderOptions): Reader {
    this.#checkOpen()
    const known = this.#topics.find(topic)
    if (known !== undefined) return this.#reader(known, options)
    const open = async () => this.#reader(await this.#topics.get(topic), options)
    return new LateReader(topic, open, this.#options.clock)
  }

  #reader(topic: OpenTopic, options: ReaderOptions): Reader {
    this.#checkOpen()
    const { name } = topic.settings
    const reader = this.#newReader(topic, options, () => {
      this.#readers.delete(reader)
      this.#groupReaders.delete(reader as GroupReader)
    })
    this.#readers.set(reader, name)
    return reader
  }

  #newReader(topic: OpenTopic, options: ReaderOptions, onClosed: () => void): Reader {
    const { name } = topic.settings
    if (options.mode === 'group') return this.#groupReader(topic, options, onClosed)
    const { clock, random } = this.#options
    if (topic.keeping === 'ephemeral') {
      const exchange = this.#names.exchange(name)
      return new EphemeralReader({
        ...{ topic, options, exchange, clock, random, onClosed },
        link: this.#links.consume,
      })
    }
    if (topic.keeping === 'work') {
      throw new UnsupportedError(
        `a broadcast reader of "${name}"`,
        'it is kept in quorum queues, one for each group, which forget what is done; read it as a group, or ask for "written"',
      )
    }
    const feed = this.#feedOf(name, options.bufferBytesMax)
    return new BroadcastReader({ ...{ topic, options, clock, feed, onClosed }, places: this.#places })
  }

  #groupReader(topic: OpenTopic, options: GroupReaderOptions, onClosed: () => void): GroupReader {
    const { name } = topic.settings
    if (topic.keeping === 'ephemeral') {
      throw new UnsupportedError(
        'a group reader',
        `topic "${name}" is ephemeral and keeps no place of a group; read it as broadcast`,
      )
    }
    const { clock, random } = this.#options
    const { group } = options
    const reader = new GroupReader({
      ...{ topic, options, clock, random, onClosed },
      source: topic.keeping === 'work' ? this.#workShares(topic, options) : this.#streamShares(topic, options),
      deadLetters: this.#deadLetters,
      shares: { clock, random, link: this.#links.control, membersName: this.#names.members(name, group) },
    })
    this.#groupReaders.set(reader, { topic: name, group })
    return reader
  }

  #streamShares(topic: OpenTopic, options: GroupReaderOptions): StreamShares {
    const { name } = topic.settings
    const { group } = options
    return new StreamShares({
      ...{ topic, options, places: this.#places, place: this.#placeParts },
      placeName: (partition) => this.#topics.placeName(name, partition, group),
      renewPlace: (partition) => {
        const generation = this.#registry.placeGeneration(name, group, partition)
        return this.#registry.renewPlace(name, { group, partition, generation })
      },
      enrol: () => this.#registry.addGroup(name, group),
      feed: this.#feedOf(name, options.bufferBytesMax),
    })
  }

  #workShares(topic: OpenTopic, options: GroupReaderOptions): WorkShares {
    const { clock, random } = this.#options
    const { control, consume } = this.#links
    return new WorkShares({ topic, options, groups: this.#workGroups, consume, control, clock, random })
  }

  #feedOf(
    topic: string,
    bufferBytesMax = BUFFER_BYTES_MAX,
  ): (partition: number, start: FeedStart, onChange: () => void) => StreamFeed {
    const { clock, random } = this.#options
    return (partition, start, onChange) => {
      const stream = this.#names.stream(topic, partition)
      const link = this.#links.consume
      return new StreamFeed({ link, stream, topic, partition, clock, random, bufferBytesMax, onChange }, start)
    }
  }

  async #closeUsers(topic: string): Promise<void> {
    const users = [...this.#readers, ...this.#writers].filter(([, name]) => name === topic)
    await Promise.all(users.map(([user]) => user.close()))
  }

  drain(): Promise<void> {
    this.#closed ??= this.#shutDown((user) => user.drain())
    return this.#closed
  }

  close(): Promise<void> {
    this.#closed ??= this.#shutDown((user) => user.close())
    return this.#closed
  }

  async #shutDown(end: (user: Reader | Writer) => Promise<void>): Promise<void> {
    this.#isClosing = true
    const users = [...this.#writers.keys(), ...this.#readers.keys()]
    await Promise.all(users.map((user) => end(user).catch(() => {})))
    await this.#deadLetters.close()
    await this.requests.close()
    await this.#links.close()
  }
}
