import { BufferPool, type Clock, ClosedError, type Random, UnsupportedError } from '../../../core/index.ts'
import {
  type Head,
  type IncomingCall,
  LANES,
  Lane,
  malformed,
  Operation,
  Precedence,
  SESSION_LIMITS,
  type WireMessage,
} from '../../../wire/index.ts'
import {
  type Bus,
  type Capabilities,
  type Reader,
  type ReaderOptions,
  type RequestedDurability,
  satisfies,
  type TopicDescription,
  type TopicSpec,
  type Writer,
  type WriterOptions,
} from '../../index.ts'
import { bulkAddress, websocketAddress } from './address.ts'
import { Link, type LinkStatus } from './link.ts'
import { RemoteAdmin } from './remote-admin.ts'
import { RemoteReader } from './remote-reader.ts'
import { RemoteRequests } from './remote-requests.ts'
import { RemoteWriter } from './remote-writer.ts'
import { type TopicInfo, topicInfo } from './topic-info.ts'
import { WriteLane } from './write-lane.ts'

export interface RemoteBusOptions {
  /** `skein://host:port`; the endpoint's `http://` or `ws://` form is taken too. */
  readonly url: string
  readonly clock: Clock
  readonly random: Random
  /** Names this client in the node's logs and limits. At most 256 bytes. Default: `skein-client`. */
  readonly client?: string
  /** How long a first connection is tried. Default 10,000. Later ones are tried until the bus is closed. */
  readonly connectTimeoutMs?: number
  /** Told of every change of the connection. */
  readonly onStatus?: (status: LinkStatus) => void
  readonly signal?: AbortSignal
}

/** A bus whose log is a node's. */
export interface RemoteBus extends Bus {
  readonly status: LinkStatus
  /** Round trip of the newest ping, milliseconds; undefined before the first. */
  readonly roundTripMs: number | undefined
}

/**
 * Connects to a node. Rejects with `connection-lost` naming the address when none answers within `connectTimeoutMs`,
 * with the node's error when it refuses, with `signal.reason`.
 */
export async function connectRemoteBus(options: RemoteBusOptions): Promise<RemoteBus> {
  const bus = new NodeBus(options)
  await bus.connect(options.signal)
  return bus
}

/** Memory kept for encoded batches: about as much as may be on its way. */
const POOL_BYTES_MAX = 8 * 1024 * 1024

class NodeBus implements RemoteBus {
  readonly name = 'remote'
  readonly admin: RemoteAdmin
  readonly requests: RemoteRequests
  readonly #clock: Clock
  readonly #random: Random
  /** Everything but telemetry. */
  readonly #link: Link
  /** Telemetry, on a socket of its own: a command never finds it in the way. Dialled when it is first needed. */
  readonly #bulkLink: Link
  readonly #precedence: Precedence
  readonly #pool = new BufferPool(POOL_BYTES_MAX)
  readonly #topics = new Map<string, TopicInfo>()
  readonly #lanes: readonly WriteLane[]
  readonly #writers = new Set<RemoteWriter>()
  readonly #readers = new Map<number, RemoteReader>()
  #nextReader = 1
  #drained: Promise<void> | undefined

  constructor(options: RemoteBusOptions) {
    this.#clock = options.clock
    this.#random = options.random
    const precedence = new Precedence(options.clock)
    this.#precedence = precedence
    const linkOptions = {
      precedence,
      clock: options.clock,
      random: options.random,
      limits: SESSION_LIMITS,
      client: options.client ?? 'skein-client',
      instance: Buffer.from(options.random.bytes(16)).toString('hex'),
      connectTimeoutMs: options.connectTimeoutMs ?? 10_000,
      onCall: (call: IncomingCall) => this.#onCall(call),
      onCast: (cast: WireMessage) => this.#onCast(cast),
    }
    this.#link = new Link({ ...linkOptions, address: websocketAddress(options.url), onStatus: options.onStatus })
    this.#bulkLink = new Link({ ...linkOptions, address: bulkAddress(options.url), onStatus: undefined })
    this.#lanes = LANES.map((lane) => new WriteLane(lane, precedence))
    for (const [lane, writes] of this.#lanes.entries()) this.#linkOf(lane as Lane).add(writes)
    this.admin = new RemoteAdmin(this.#link)
    this.requests = new RemoteRequests(this.#link, options.clock)
  }

  connect(signal: AbortSignal | undefined): Promise<void> {
    return this.#link.open(signal)
  }

  get status(): LinkStatus {
    return this.#link.status
  }

  get roundTripMs(): number | undefined {
    return this.#link.session?.roundTripMs
  }

  async open(topic: TopicSpec): Promise<Capabilities> {
    const { head } = await this.#link.callAgain(Operation.openTopic, { lane: Lane.urgent, head: { spec: topic } })
    return this.#remember(topic, head.capabilities as Capabilities).capabilities
  }

  writer(topic: string, options: WriterOptions = {}): Writer {
    this.#checkOpen()
    const known = this.#topics.get(topic)
    if (known !== undefined) checkDurability(known, options.durability)
    const writer = new RemoteWriter({
      ...options,
      clock: this.#clock,
      pool: this.#pool,
      precedence: this.#precedence,
      producerId: this.#producerId(),
      topic: known ?? this.#look(topic),
      lane: (info) => this.#writeLane(info.lane),
      onClosed: (closed) => this.#writers.delete(closed),
    })
    this.#writers.add(writer)
    return writer
  }

  reader(topic: string, options: ReaderOptions): Reader {
    this.#checkOpen()
    const id = this.#nextReader
    this.#nextReader += 1
    const known = this.#topics.get(topic)
    const link = this.#linkOf(known?.lane ?? Lane.urgent)
    link.start()
    const reader = new RemoteReader({
      id,
      topic,
      ttlMs: known?.ttlMs,
      link,
      lane: known?.lane,
      precedence: this.#precedence,
      clock: this.#clock,
      options,
      onClosed: () => this.#readers.delete(id),
    })
    this.#readers.set(id, reader)
    return reader
  }

  drain(): Promise<void> {
    this.#drained ??= this.#drain()
    return this.#drained
  }

  async close(): Promise<void> {
    const error = new ClosedError('the bus of this node')
    for (const writer of [...this.#writers]) await writer.close()
    this.#link.close(error)
    this.#bulkLink.close(error)
  }

  async #drain(): Promise<void> {
    await Promise.all([...this.#writers].map((writer) => writer.drain()))
    await Promise.all([...this.#readers.values()].map((reader) => reader.drain()))
    await this.close()
  }

  #linkOf(lane: Lane): Link {
    return lane === Lane.bulk ? this.#bulkLink : this.#link
  }

  #writeLane(lane: Lane): WriteLane {
    this.#linkOf(lane).start()
    return this.#lanes[lane]!
  }

  async #look(topic: string): Promise<TopicInfo> {
    const description: TopicDescription = await this.admin.describeTopic(topic)
    return this.#remember(description.spec, description.capabilities)
  }

  #remember(spec: TopicSpec, granted: Capabilities): TopicInfo {
    const info = topicInfo(spec, { ...granted, driver: this.name })
    this.#topics.set(spec.name, info)
    return info
  }

  #onCast(cast: WireMessage): void {
    // A reader that was closed while this was on its way is not there any more.
    this.#readers.get(cast.head.reader as number)?.onCast(cast)
  }

  async #onCall(call: IncomingCall): Promise<{ readonly head?: Head; readonly body?: readonly Uint8Array[] }> {
    if (call.operation === Operation.answer) return this.requests.onAnswerCall(call)
    if (call.operation !== Operation.assignment) throw malformed(`its operation ${call.operation} is unknown`)
    await this.#readers.get(call.head.reader as number)?.onAssignmentCall(call.head)
    return {}
  }

  #producerId(): number {
    const bytes = this.#random.bytes(6)
    return Buffer.from(bytes).readUIntBE(0, 6)
  }

  #checkOpen(): void {
    if (this.#drained !== undefined || this.#link.isClosed) {
      throw this.#link.status.error ?? new ClosedError('the bus of this node')
    }
  }
}

/** A topic that is not known here is checked by the node, with the first write. */
function checkDurability(topic: TopicInfo, asked: RequestedDurability | undefined): void {
  const best = topic.capabilities.durability
  if (asked === undefined || satisfies(best, asked)) return
  throw new UnsupportedError(`durability "${asked}" on topic "${topic.name}"`, `its node grants "${best}" at most`)
}
