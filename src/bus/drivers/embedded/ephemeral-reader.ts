import { type Clock, ClosedError, UnsupportedError } from '../../../core/index.ts'
import { RecordBatchBuilder } from '../../../log/index.ts'
import type {
  Batch,
  BroadcastReaderOptions,
  Delivery,
  Lag,
  Position,
  RawBatch,
  Reader,
  ReadLimits,
  StartPosition,
} from '../../index.ts'
import { SubjectFilter, storedHeaders, WaitPoint } from '../../kit/index.ts'
import type { EphemeralDelivery } from './ephemeral-delivery.ts'
import type { EphemeralFanOut } from './ephemeral-fan-out.ts'

const BUFFER_BYTES_MAX = 4 * 1024 * 1024
const MESSAGES_MAX = 4_096
const BYTES_MAX = 1024 * 1024
const GENERATION = 1

/** Reads what passes through an ephemeral topic, from a buffer of bounded bytes. */
export class EphemeralReader implements Reader {
  dropped = 0
  readonly #topic: EphemeralFanOut
  readonly #clock: Clock
  readonly #arrivals: WaitPoint
  readonly #departures: WaitPoint
  readonly #bytesMax: number
  readonly #waits: boolean
  readonly #onClosed: () => void
  #buffer: EphemeralDelivery[] = []
  #head = 0
  #bytes = 0
  #closed = false

  constructor(
    topic: EphemeralFanOut,
    parts: { readonly options: BroadcastReaderOptions; readonly clock: Clock; readonly onClosed: () => void },
  ) {
    const { options, clock } = parts
    if (options.subjects !== undefined) new SubjectFilter(options.subjects)
    this.#topic = topic
    this.#clock = clock
    this.#arrivals = new WaitPoint(clock)
    this.#departures = new WaitPoint(clock)
    this.#bytesMax = options.bufferBytesMax ?? BUFFER_BYTES_MAX
    this.#waits = options.overflow === 'wait'
    this.#onClosed = parts.onClosed
  }

  get #isOver(): boolean {
    return this.#bytes > this.#bytesMax
  }

  /** False when the buffer is over its bound and the writer must wait. */
  offer(delivery: EphemeralDelivery): boolean {
    if (this.#closed) return true
    this.#buffer.push(delivery)
    this.#bytes += delivery.byteLength
    if (!this.#isOver) return true
    if (this.#waits) return false
    while (this.#isOver && this.#buffer.length - this.#head > 1) {
      this.#shift()
      this.dropped += 1
    }
    return true
  }

  #shift(): EphemeralDelivery {
    const delivery = this.#buffer[this.#head]!
    this.#head += 1
    this.#bytes -= delivery.byteLength
    if (this.#head > 1_024 && this.#head * 2 > this.#buffer.length) {
      this.#buffer = this.#buffer.slice(this.#head)
      this.#head = 0
    }
    return delivery
  }

  wake(): void {
    this.#arrivals.wake()
  }

  /** Resolves when the buffer is within its bound again, or this reader is gone. */
  async room(signal: AbortSignal): Promise<void> {
    while (this.#isOver && !this.#closed) {
      signal.throwIfAborted()
      await this.#departures.wait({ delayMs: undefined, signal })
    }
  }

  async read(limits: ReadLimits = {}): Promise<Batch | null> {
    const deliveries = await this.#readSome(limits)
    if (deliveries === null) return null
    const topic = this.#topic.settings.name
    return { topic, partition: 0, generation: GENERATION, deliveries, last: deliveries.at(-1)!.position }
  }

  async #readSome(limits: ReadLimits): Promise<EphemeralDelivery[] | null> {
    const deadlineMs = limits.waitMs === undefined ? undefined : this.#clock.monotonicMs() + limits.waitMs
    for (;;) {
      limits.signal?.throwIfAborted()
      if (this.#closed) throw this.#closedError()
      const deliveries = this.#take(limits)
      if (deliveries.length > 0) {
        this.#departures.wake()
        return deliveries
      }
      const leftMs = deadlineMs === undefined ? undefined : deadlineMs - this.#clock.monotonicMs()
      if (leftMs !== undefined && leftMs <= 0) return null
      await this.#arrivals.wait({ delayMs: leftMs, signal: limits.signal })
    }
  }

  #take(limits: ReadLimits): EphemeralDelivery[] {
    const countMax = limits.maxMessages ?? MESSAGES_MAX
    let bytesLeft = limits.maxBytes ?? BYTES_MAX
    const nowMs = this.#clock.nowMs()
    const taken: EphemeralDelivery[] = []
    while (this.#head < this.#buffer.length && taken.length < countMax && bytesLeft > 0) {
      const delivery = this.#shift()
      if (delivery.isExpired(nowMs, this.#topic.settings.ttlMs)) continue
      taken.push(delivery)
      bytesLeft -= delivery.byteLength
    }
    return taken
  }

  /** The same, encoded for a client: with the sequences as offsets. */
  async places(): Promise<undefined> {}

  async readRaw(limits: ReadLimits = {}): Promise<RawBatch | null> {
    const deliveries = await this.#readSome(limits)
    if (deliveries === null) return null
    const builder = new RecordBatchBuilder()
    for (const delivery of deliveries) builder.add(recordOf(delivery))
    const records = builder.finish()
    const offsets = deliveries.map((delivery) => delivery.position.sequence)
    const piece = {
      body: Buffer.concat(records.parts),
      baseOffset: offsets[0]!,
      firstTimestampMs: records.firstTimestampMs,
      appendedAtMs: deliveries[0]!.appendedAtMs,
      fromOffset: offsets[0]!,
      throughOffset: offsets.at(-1)!,
      offsets,
      count: records.count,
    }
    const topic = this.#topic.settings.name
    const last = deliveries.at(-1)!.position
    return {
      topic,
      partition: 0,
      generation: GENERATION,
      ordinal: 0,
      pieces: [piece],
      count: records.count,
      last,
      attempts: [],
    }
  }

  /** Nothing to acknowledge: accepted, so that one loop can serve every kind of reader. */
  async acknowledge(): Promise<void> {}

  async settle(): Promise<void> {
    throw new UnsupportedError('settle on an ephemeral topic', 'nothing of it is stored')
  }

  onAssignment(): void {}

  async seek(to: StartPosition): Promise<void> {
    if (to !== 'latest')
      throw new UnsupportedError('seek', `topic "${this.#topic.settings.name}" is ephemeral and stores nothing`)
    this.#buffer = []
    this.#head = 0
    this.#bytes = 0
    this.#departures.wake()
  }

  async end(): Promise<readonly Position[]> {
    return [{ partition: 0, sequence: this.#topic.nextSequence }]
  }

  async lag(): Promise<readonly Lag[]> {
    const oldest = this.#buffer[this.#head]
    const seconds = oldest === undefined ? 0 : Math.max(0, this.#clock.nowMs() - oldest.appendedAtMs) / 1000
    const messages = this.#buffer.length - this.#head
    return [{ topic: this.#topic.settings.name, group: undefined, partition: 0, messages, seconds }]
  }

  async drain(): Promise<void> {
    await this.close()
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#arrivals.fail(this.#closedError())
    this.#departures.wake()
    this.#onClosed()
  }

  #closedError(): ClosedError {
    return new ClosedError(`the reader of "${this.#topic.settings.name}"`)
  }
}

function recordOf(delivery: Delivery): Parameters<RecordBatchBuilder['add']>[0] {
  const { subject, key, value, timestampMs, headers, id } = delivery
  return { subject, key, value, timestampMs, headers: storedHeaders({ subject, value, headers, id }) }
}
