import { ClosedError } from '../../../core/index.ts'
import type {
  Bus,
  Capabilities,
  Lag,
  Reader,
  ReaderOptions,
  Requests,
  TopicSpec,
  Writer,
  WriterOptions,
} from '../../index.ts'
import { LateReader, LateWriter } from '../../kit/index.ts'
import { AckInbox } from './ack-inbox.ts'
import { BroadcastReader } from './broadcast-reader.ts'
import { Connection } from './connection.ts'
import { CoreReader } from './core-reader.ts'
import { CoreWriter } from './core-writer.ts'
import { DeadLetters } from './dead-letters.ts'
import { GroupReader } from './group-reader.ts'
import { LogWriter } from './log-writer.ts'
import { NatsAdmin } from './nats-admin.ts'
import { NatsRequests } from './nats-requests.ts'
import type { NatsBusOptions } from './options.ts'
import { type Topic, TopicStore } from './topic-store.ts'

/** Connects to NATS. Rejects with `connection-lost`, `unauthorised`, or `unsupported` without the client library. */
export async function connectNatsBus(options: NatsBusOptions): Promise<NatsBus> {
  return new NatsBus(await Connection.open(options), options)
}

interface ReaderEntry {
  readonly topic: string
  readonly group: string | undefined
}

/** The bus on NATS servers: JetStream for what is stored, core NATS for what passes. */
export class NatsBus implements Bus {
  readonly name = 'nats'
  readonly requests: Requests
  readonly admin: NatsAdmin
  readonly #connection: Connection
  readonly #options: NatsBusOptions
  readonly #topics: TopicStore
  readonly #inbox: AckInbox
  readonly #deadLetters: DeadLetters
  readonly #readers = new Map<Reader, ReaderEntry>()
  readonly #writers = new Map<Writer, string>()
  #isClosing = false
  #closed: Promise<void> | undefined

  constructor(connection: Connection, options: NatsBusOptions) {
    this.#connection = connection
    this.#options = options
    this.#topics = new TopicStore(connection, options)
    this.#inbox = new AckInbox(connection)
    this.#deadLetters = new DeadLetters({
      topics: this.#topics,
      connection,
      openWriter: (topic) => this.#openWriter(topic, {}),
      openReader: (topic) => this.#openReader(topic, { mode: 'broadcast', from: 'earliest' }),
    })
    this.requests = new NatsRequests(connection)
    this.admin = new NatsAdmin({
      topics: this.#topics,
      connection,
      deadLetters: this.#deadLetters,
      closeUsers: (topic) => this.#closeUsers(topic),
      liveLag: (topic, group) => this.#liveLag(topic, group),
    })
  }

  /** Of the server this bus is connected to now. */
  get serverVersion(): string {
    return this.#connection.version
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
    const known = this.#topics.known(topic)
    if (known !== undefined) return this.#openWriter(known, options)
    return new LateWriter(topic, async () => this.#openWriter(await this.#topics.find(topic), options))
  }

  #openWriter(topic: Topic, options: WriterOptions): Writer {
    const { random } = this.#options
    const parts = { connection: this.#connection, options, onClosed: () => this.#writers.delete(writer) }
    const writer: Writer =
      topic.kind === 'core'
        ? new CoreWriter(topic, parts)
        : new LogWriter(topic, { ...parts, inbox: this.#inbox, random })
    this.#writers.set(writer, topic.settings.name)
    return writer
  }

  reader(topic: string, options: ReaderOptions): Reader {
    this.#checkOpen()
    const known = this.#topics.known(topic)
    if (known !== undefined) return this.#openReader(known, options)
    const open = async () => this.#openReader(await this.#topics.find(topic), options)
    return new LateReader(topic, open, this.#options.clock)
  }

  #openReader(topic: Topic, options: ReaderOptions): Reader {
    this.#checkOpen()
    const parts = { connection: this.#connection, onClosed: () => this.#readers.delete(reader) }
    const reader = this.#newReader(topic, options, parts)
    const group = options.mode === 'group' ? options.group : undefined
    this.#readers.set(reader, { topic: topic.settings.name, group })
    return reader
  }

  #newReader(topic: Topic, options: ReaderOptions, parts: { connection: Connection; onClosed: () => void }): Reader {
    if (topic.kind === 'core') return new CoreReader(topic, { ...parts, options })
    if (options.mode === 'broadcast') return new BroadcastReader(topic, { ...parts, options })
    const { random } = this.#options
    return new GroupReader(topic, { ...parts, options, random, deadLetters: this.#deadLetters })
  }

  async #liveLag(topic: string, group: string): Promise<readonly Lag[]> {
    const live = [...this.#readers].filter(([, entry]) => entry.topic === topic && entry.group === group)
    return (await Promise.all(live.map(([reader]) => reader.lag()))).flat()
  }

  async #closeUsers(topic: string): Promise<void> {
    const readers = [...this.#readers].filter(([, entry]) => entry.topic === topic).map(([reader]) => reader)
    const writers = [...this.#writers].filter(([, name]) => name === topic).map(([writer]) => writer)
    await Promise.all([...readers, ...writers].map((one) => one.close()))
  }

  drain(): Promise<void> {
    this.#closed ??= this.#shutDown({ drain: true })
    return this.#closed
  }

  close(): Promise<void> {
    this.#closed ??= this.#shutDown({ drain: false })
    return this.#closed
  }

  async #shutDown({ drain }: { readonly drain: boolean }): Promise<void> {
    this.#isClosing = true
    const users = [...this.#writers.keys(), ...this.#readers.keys()]
    await Promise.all(users.map((user) => (drain ? user.drain() : user.close())))
    await (drain ? this.#connection.drain() : this.#connection.close())
  }
}
