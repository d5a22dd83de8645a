import type { Msg, Subscription } from '@nats-io/transport-node'
import { checkFilter, matchesFilter, UnsupportedError } from '../../../core/index.ts'
import type { Batch, Lag, Position, Reader, ReaderOptions, ReadLimits, StartPosition } from '../../index.ts'
import type { Connection } from './connection.ts'
import type { CoreTopic } from './core-topic.ts'
import { HeaderDecoder } from './header-decoder.ts'
import { type DeliverySource, NatsDelivery } from './nats-delivery.ts'
import { ReadLoop, type ReadSizes, readSizes } from './read-loop.ts'
import { streamFilters } from './stream-filters.ts'

const BUFFER_BYTES_MAX = 4 * 1024 * 1024
const OVERHEAD_BYTES = 64
const GENERATION = 1

export interface CoreReaderParts {
  readonly options: ReaderOptions
  readonly connection: Connection
  readonly onClosed: () => void
}

/** Reads what passes through a topic on core NATS, from a buffer of bounded bytes that drops its oldest. */
export class CoreReader implements Reader {
  dropped = 0
  readonly #topic: CoreTopic
  readonly #connection: Connection
  readonly #loop: ReadLoop
  readonly #source: DeliverySource
  readonly #bytesMax: number
  readonly #wants: ((subject: string) => boolean) | undefined
  readonly #subscriptions: readonly Subscription[]
  readonly #onClosed: () => void
  readonly #ready: Promise<void>
  #buffer: NatsDelivery[] = []
  #head = 0
  #bytes = 0
  #sequence = 0

  constructor(topic: CoreTopic, parts: CoreReaderParts) {
    const { options, connection } = parts
    const { name, ttlMs } = topic.settings
    checkOptions(name, options)
    this.#topic = topic
    this.#connection = connection
    this.#onClosed = parts.onClosed
    this.#loop = new ReadLoop(`the reader of "${name}"`, connection.clock)
    this.#source = { topic: name, partition: 0, prefixLength: 0, ttlMs, headers: new HeaderDecoder() }
    this.#bytesMax = options.bufferBytesMax ?? BUFFER_BYTES_MAX
    const { subscribe, wants } = wanted(name, options.subjects)
    this.#wants = wants
    this.#subscriptions = subscribe.map((subject) => connection.subscribe(subject, (message) => this.#offer(message)))
    this.#ready = connection.flush()
    this.#ready.catch(() => {})
  }

  #offer(message: Msg): void {
    // What wants a reply is a request, and not for readers.
    if (message.reply !== undefined && message.reply !== '') return
    if (this.#wants !== undefined && !this.#wants(message.subject)) return
    this.#sequence += 1
    const byteLength = OVERHEAD_BYTES + message.data.byteLength
    const at = { sequence: this.#sequence, consumerSequence: 0, pending: 0, byteLength }
    this.#buffer.push(new NatsDelivery(this.#source, { message, appendedAtMs: this.#connection.clock.nowMs(), ...at }))
    this.#bytes += byteLength
    while (this.#bytes > this.#bytesMax && this.#buffer.length - this.#head > 1) {
      this.#shift()
      this.dropped += 1
    }
    this.#loop.wake()
  }

  #shift(): NatsDelivery {
    const delivery = this.#buffer[this.#head]!
    this.#head += 1
    this.#bytes -= delivery.byteLength
    if (this.#head > 1_024 && this.#head * 2 > this.#buffer.length) {
      this.#buffer = this.#buffer.slice(this.#head)
      this.#head = 0
    }
    return delivery
  }

  read(limits: ReadLimits = {}): Promise<Batch | null> {
    const sizes = readSizes(limits)
    return this.#loop.run(limits, {
      ready: () => this.#ready,
      take: () => this.#take(sizes),
      nextDueMs: () => undefined,
    })
  }

  #take({ countMax, bytesMax }: ReadSizes): Batch | undefined {
    let bytesLeft = bytesMax
    const nowMs = this.#connection.clock.nowMs()
    const deliveries: NatsDelivery[] = []
    while (this.#head < this.#buffer.length && deliveries.length < countMax && bytesLeft > 0) {
      const delivery = this.#shift()
      if (delivery.isExpired(nowMs)) continue
      deliveries.push(delivery)
      bytesLeft -= delivery.byteLength
    }
    const last = deliveries.at(-1)
    if (last === undefined) return undefined
    const topic = this.#topic.settings.name
    return { topic, partition: 0, generation: GENERATION, deliveries, last: last.position }
  }

  /** Nothing to acknowledge: accepted, so that one loop can serve every kind of reader. */
  async acknowledge(): Promise<void> {}

  async settle(): Promise<void> {
    throw new UnsupportedError('settle on an ephemeral topic', 'nothing of it is stored')
  }

  onAssignment(): void {}

  async seek(to: StartPosition): Promise<void> {
    if (to !== 'latest') throw noReplay(this.#topic.settings.name)
    this.#buffer = []
    this.#head = 0
    this.#bytes = 0
  }

  async end(): Promise<readonly Position[]> {
    return [{ partition: 0, sequence: this.#sequence }]
  }

  async lag(): Promise<readonly Lag[]> {
    const oldest = this.#buffer[this.#head]
    const nowMs = this.#connection.clock.nowMs()
    const seconds = oldest === undefined ? 0 : Math.max(0, nowMs - oldest.appendedAtMs) / 1_000
    const messages = this.#buffer.length - this.#head
    return [{ topic: this.#topic.settings.name, group: undefined, partition: 0, messages, seconds }]
  }

  async drain(): Promise<void> {
    await this.close()
  }

  async close(): Promise<void> {
    if (!this.#loop.close()) return
    if (!this.#connection.isClosed) for (const subscription of this.#subscriptions) subscription.unsubscribe()
    this.#onClosed()
  }
}

function checkOptions(topic: string, options: ReaderOptions): void {
  if (options.mode === 'group') {
    const reason = `topic "${topic}" is ephemeral and keeps no place of a group; read it as broadcast`
    throw new UnsupportedError('a group reader', reason)
  }
  if (options.from !== undefined && options.from !== 'latest') throw noReplay(topic)
  if (options.overflow !== 'wait') return
  const reason = 'core NATS does not let a slow reader slow its writers; use overflow "drop", or a stored topic'
  throw new UnsupportedError('backPressure', reason)
}

function noReplay(topic: string): UnsupportedError {
  return new UnsupportedError('replay', `topic "${topic}" is ephemeral and stores nothing; read it from "latest"`)
}

/** Subscriptions that give a message once each, and what they give too much. */
function wanted(
  topic: string,
  filters: readonly string[] | undefined,
): { readonly subscribe: readonly string[]; readonly wants: ((subject: string) => boolean) | undefined } {
  const everything = [topic, `${topic}.>`]
  if (filters === undefined) return { subscribe: everything, wants: undefined }
  for (const filter of filters) checkFilter(filter)
  const { server } = streamFilters(filters, false)
  const isBelow = (filter: string) => filter === topic || filter.startsWith(`${topic}.`)
  if (server?.every(isBelow)) return { subscribe: server, wants: undefined }
  return { subscribe: everything, wants: (subject) => filters.some((filter) => matchesFilter(filter, subject)) }
}
