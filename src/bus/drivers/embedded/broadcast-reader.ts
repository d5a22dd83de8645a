import { type Clock, UnsupportedError } from '../../../core/index.ts'
import type {
  Batch,
  BroadcastReaderOptions,
  Lag,
  Position,
  RawBatch,
  RawReader,
  Reader,
  ReadLimits,
  StartPosition,
} from '../../index.ts'
import { SubjectFilter } from '../../kit/index.ts'
import type { Collector } from './collector.ts'
import { DeliveryCollector } from './delivery-collector.ts'
import { Feed, type Gate } from './feed.ts'
import { lagOf } from './lag.ts'
import { RawCollector } from './raw-collector.ts'
import { ReaderCore, type ReadSizes } from './reader-core.ts'
import { startOffset } from './start-position.ts'
import type { LogTopic } from './topic.ts'

const GENERATION = 1

/** Keeps nothing of a message: everything fetched is given once. */
class OpenGate implements Gate {
  position: number
  readonly isPlain = true
  readonly canFetch = true

  constructor(position: number) {
    this.position = position
  }

  hasDue(): boolean {
    return false
  }

  decide(): number {
    return 1
  }
}

/** Reads every partition of a topic for itself alone, and keeps its place in memory. */
export class BroadcastReader implements Reader, RawReader {
  readonly dropped = 0
  readonly #core: ReaderCore
  readonly #onClosed: () => void
  #ready: Promise<void> | undefined

  constructor(
    topic: LogTopic,
    parts: { readonly options: BroadcastReaderOptions; readonly clock: Clock; readonly onClosed: () => void },
  ) {
    const { options, clock } = parts
    this.#onClosed = parts.onClosed
    const filter = options.subjects && new SubjectFilter(options.subjects)
    this.#core = new ReaderCore(topic, { clock, filter, bufferBytesMax: options.bufferBytesMax })
    for (const partition of topic.partitions) {
      this.#core.addFeed(new Feed(partition, new OpenGate(partition.log.endOffset), { filter, group: undefined }))
    }
    if (options.from !== undefined && options.from !== 'latest') this.#start(options.from)
  }

  #start(from: StartPosition): void {
    this.#ready = this.#moveAll(from)
    // Reported by the read that waits for it.
    this.#ready.catch(() => {})
  }

  async #moveAll(to: StartPosition): Promise<void> {
    for (const feed of this.#core.feeds.values()) {
      const offset = await startOffset(feed.partition, to)
      if (offset !== undefined) feed.moveTo(offset)
    }
    this.#core.wake()
  }

  async read(limits: ReadLimits = {}): Promise<Batch | null> {
    const topic = this.#core.topic.settings.name
    const given = await this.#read(
      limits,
      (partition) => new DeliveryCollector({ topic, partition, generation: GENERATION }),
    )
    if (given === null) return null
    const { collector, feed } = given
    const partition = feed.partition.index
    const last = collector.deliveries.at(-1)!.position
    return { topic, partition, generation: GENERATION, deliveries: collector.deliveries, last }
  }

  async readRaw(limits: ReadLimits = {}): Promise<RawBatch | null> {
    const given = await this.#read(limits, () => new RawCollector())
    if (given === null) return null
    const { collector, feed } = given
    const partition = feed.partition.index
    const pieces = collector.finish()
    return {
      topic: this.#core.topic.settings.name,
      partition,
      generation: GENERATION,
      ordinal: 0,
      pieces,
      count: collector.count,
      last: { partition, sequence: pieces.at(-1)!.throughOffset },
      attempts: collector.attempts,
    }
  }

  async #read<C extends Collector>(
    limits: ReadLimits,
    newCollector: (partition: number) => C,
  ): Promise<{ readonly feed: Feed; readonly collector: C } | null> {
    await this.#started()
    return this.#core.read(limits, {
      nextDueMs: () => undefined,
      take: (feed, sizes) => this.#take(feed, newCollector(feed.partition.index), sizes),
    })
  }

  async #started(): Promise<void> {
    if (this.#ready === undefined) return
    await this.#ready
    this.#ready = undefined
  }

  async places(): Promise<readonly Position[]> {
    await this.#started()
    return [...this.#core.feeds.values()].map(({ partition, gate }) => ({
      partition: partition.index,
      sequence: gate.position,
    }))
  }

  async #take<C extends Collector>(feed: Feed, collector: C, sizes: ReadSizes): Promise<C | undefined> {
    if (!feed.isBuffered) await feed.fill(Math.min(this.#core.bufferBytesMax, sizes.bytesMax))
    feed.take(collector, { ...sizes, nowMs: this.#core.clock.nowMs() })
    return collector.count === 0 ? undefined : collector
  }

  /** A broadcast reader has nothing to acknowledge: accepted, so that one loop can serve both kinds. */
  async acknowledge(): Promise<void> {}

  async settle(): Promise<void> {
    throw new UnsupportedError(
      'settle on a broadcast reader',
      'it keeps no account of single messages; read as a group',
    )
  }

  onAssignment(): void {}

  async seek(to: StartPosition): Promise<void> {
    if (this.#core.isClosed) throw this.#core.closedError()
    // Where it was to begin must not be found after where it is sent now.
    await this.#ready?.catch(() => {})
    await this.#moveAll(to)
  }

  async end(): Promise<readonly Position[]> {
    return this.#core.topic.partitions.map(({ index, log }) => ({ partition: index, sequence: log.endOffset }))
  }

  async lag(): Promise<readonly Lag[]> {
    await this.#started()
    const feeds = [...this.#core.feeds.values()]
    return Promise.all(
      feeds.map((feed) =>
        lagOf(feed.partition, {
          committed: feed.hasMore ? feed.gate.position : feed.partition.log.endOffset,
          group: undefined,
          clock: this.#core.clock,
        }),
      ),
    )
  }

  async drain(): Promise<void> {
    await this.close()
  }

  async close(): Promise<void> {
    if (this.#core.close()) this.#onClosed()
  }
}
