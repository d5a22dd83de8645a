import type { ConsumeMessage } from 'amqplib'
import { type Clock, type Random, type SkeinError, UnsupportedError } from '../../../core/index.ts'
import type {
  Batch,
  BroadcastReaderOptions,
  Delivery,
  Lag,
  Position,
  Reader,
  ReadLimits,
  StartPosition,
} from '../../index.ts'
import { SubjectFilter } from '../../kit/index.ts'
import { AmqpDelivery, isExpired, originOf } from './amqp-delivery.ts'
import { amqpError } from './amqp-error.ts'
import { bindingOf } from './binding.ts'
import type { Connection } from './connection.ts'
import type { Link } from './link.ts'
import { ReadLoop, type ReadSizes, type Source } from './read-loop.ts'
import { Repeats } from './repeats.ts'
import type { OpenTopic } from './topics.ts'

const BUFFER_BYTES_MAX = 4 * 1024 * 1024
const OVERHEAD_BYTES = 64
const TRY_AGAIN_MS = 250
const COMPACT_ABOVE = 1_024

export interface EphemeralReaderParts {
  readonly topic: OpenTopic
  readonly options: BroadcastReaderOptions
  readonly exchange: string
  readonly link: Link
  readonly clock: Clock
  readonly random: Random
  readonly onClosed: () => void
}

/** Reads what passes through an exchange, over a queue of its own that dies with the connection, into a bounded buffer. */
export class EphemeralReader implements Reader, Source {
  readonly partition = 0
  readonly generation = 1
  dropped = 0
  readonly #parts: EphemeralReaderParts
  readonly #loop: ReadLoop<EphemeralReader>
  readonly #bytesMax: number
  readonly #stop = new AbortController()
  readonly #started = Promise.withResolvers<void>()
  readonly #repeats = new Repeats()
  #buffer: ConsumeMessage[] = []
  #head = 0
  #bytes = 0
  #sequence = 0

  constructor(parts: EphemeralReaderParts) {
    const { topic, options, clock } = parts
    checkOptions(topic.settings.name, options)
    this.#parts = parts
    this.#bytesMax = options.bufferBytesMax ?? BUFFER_BYTES_MAX
    this.#loop = new ReadLoop(topic.settings.name, clock)
    this.#loop.sources = [this]
    this.#started.promise.catch(() => {})
    void this.#run((options.subjects ?? ['>']).map((filter) => `*.${bindingOf(filter)}`))
  }

  /** Resolves once nothing that is written from then on can be missed. */
  started(): Promise<void> {
    return this.#started.promise
  }

  async #run(bindings: readonly string[]): Promise<void> {
    const { link, clock, random } = this.#parts
    const { signal } = this.#stop
    while (!signal.aborted) {
      try {
        await this.#listen(await link.connection(signal), bindings)
      } catch (error) {
        if (!signal.aborted && !(error as SkeinError).retryable) {
          this.#started.reject(error)
          return this.#loop.fail(error as Error)
        }
      }
      if (!signal.aborted) await clock.sleep(random.float() * TRY_AGAIN_MS, { signal }).catch(() => {})
    }
    this.#started.resolve()
  }

  /** Resolves when the connection ends. What passes until there is a new one is missed. */
  async #listen(connection: Connection, bindings: readonly string[]): Promise<void> {
    const { exchange, topic } = this.#parts
    const channel = await connection.channel()
    const { promise: ended, resolve: end } = Promise.withResolvers<void>()
    channel.on('close', end)
    this.#stop.signal.addEventListener('abort', () => end(), { once: true })
    try {
      await channel.checkExchange(exchange)
      const { queue } = await channel.assertQueue('', { exclusive: true, arguments: boundsOf(this.#bytesMax) })
      for (const binding of bindings) await channel.bindQueue(queue, exchange, binding)
      await channel.consume(queue, (message) => (message === null ? end() : this.#onMessage(message)), { noAck: true })
      this.#started.resolve()
      await ended
    } catch (cause) {
      throw amqpError(cause, `Cannot read topic "${topic.settings.name}"`)
    } finally {
      await channel.close().catch(() => {})
    }
  }

  #onMessage(message: ConsumeMessage): void {
    if (this.#loop.isClosed || this.#repeats.isRepeat(originOf(message))) return
    this.#buffer.push(message)
    this.#bytes += byteLengthOf(message)
    while (this.#bytes > this.#bytesMax && this.#buffer.length - this.#head > 1) {
      this.#shift()
      this.dropped += 1
    }
    this.#loop.wake()
  }

  #shift(): ConsumeMessage {
    const message = this.#buffer[this.#head]!
    this.#head += 1
    this.#sequence += 1
    this.#bytes -= byteLengthOf(message)
    if (this.#head > COMPACT_ABOVE && this.#head * 2 > this.#buffer.length) {
      this.#buffer = this.#buffer.slice(this.#head)
      this.#head = 0
    }
    return message
  }

  canGive(): boolean {
    return this.#head < this.#buffer.length
  }

  nextDueMs(): undefined {
    return undefined
  }

  take({ countMax, bytesMax, nowMs }: ReadSizes): Delivery[] {
    const topic = this.#parts.topic.settings.name
    const deliveries: Delivery[] = []
    let bytes = 0
    while (this.#head < this.#buffer.length && deliveries.length < countMax && bytes < bytesMax) {
      const sequence = this.#sequence
      const message = this.#shift()
      if (isExpired(message, nowMs)) continue
      deliveries.push(new AmqpDelivery(message, { topic, partition: 0, sequence, attempt: 1, generation: 1 }))
      bytes += byteLengthOf(message)
    }
    return deliveries
  }

  read(limits: ReadLimits = {}): Promise<Batch | null> {
    return this.#loop.read(limits)
  }

  /** Nothing to acknowledge: accepted, so that one loop can serve every kind of reader. */
  async acknowledge(): Promise<void> {}

  async settle(): Promise<void> {
    throw new UnsupportedError('settle on an ephemeral topic', 'nothing of it is stored')
  }

  onAssignment(): void {}

  async seek(to: StartPosition): Promise<void> {
    if (to !== 'latest') throw noReplay(this.#parts.topic.settings.name)
    this.#sequence += this.#buffer.length - this.#head
    this.#buffer = []
    this.#head = 0
    this.#bytes = 0
  }

  async end(): Promise<readonly Position[]> {
    return [{ partition: 0, sequence: this.#sequence + this.#buffer.length - this.#head }]
  }

  async lag(): Promise<readonly Lag[]> {
    const oldest = this.#buffer[this.#head]
    const { topic, clock } = this.#parts
    const seconds = oldest === undefined ? 0 : Math.max(0, clock.nowMs() - originOf(oldest).sentAtMs) / 1_000
    const messages = this.#buffer.length - this.#head
    return [{ topic: topic.settings.name, group: undefined, partition: 0, messages, seconds }]
  }

  async drain(): Promise<void> {
    await this.close()
  }

  async close(): Promise<void> {
    if (!this.#loop.close()) return
    this.#stop.abort(this.#loop.closedError())
    this.#parts.onClosed()
  }
}

function checkOptions(topic: string, options: BroadcastReaderOptions): void {
  if (options.subjects !== undefined) new SubjectFilter(options.subjects)
  if (options.from !== undefined && options.from !== 'latest') throw noReplay(topic)
  if (options.overflow !== 'wait') return
  throw new UnsupportedError(
    'overflow "wait"',
    'an exchange of RabbitMQ gives to every queue without asking: a slow reader cannot slow its writers',
  )
}

function noReplay(topic: string): UnsupportedError {
  return new UnsupportedError('replay', `topic "${topic}" is ephemeral and stores nothing; read it from "latest"`)
}

/** On the broker too a reader that takes nothing has a bound: the oldest go first there as they do here. */
function boundsOf(bytesMax: number): Record<string, unknown> {
  return { 'x-max-length-bytes': Math.max(bytesMax, BUFFER_BYTES_MAX), 'x-overflow': 'drop-head' }
}

function byteLengthOf(message: ConsumeMessage): number {
  return OVERHEAD_BYTES + message.fields.routingKey.length + message.content.byteLength
}
