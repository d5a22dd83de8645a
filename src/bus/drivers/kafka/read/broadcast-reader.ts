import { UnsupportedError } from '../../../../core/index.ts'
import type { Batch, BroadcastReaderOptions, Lag, Position, Reader, ReadLimits, StartPosition } from '../../../index.ts'
import { SubjectFilter } from '../../../kit/index.ts'
import { DeliveryCollector } from './delivery-collector.ts'
import { Feed, type Gate } from './feed.ts'
import { lagOf } from './lag.ts'
import { listOffsets } from './list-offsets.ts'
import { ReaderCore, type ReaderCoreParts, type ReadSizes } from './reader-core.ts'
import { SeenIds } from './seen-ids.ts'
import { startOffsets } from './start-offsets.ts'
import { unlessAborted } from './unless-aborted.ts'

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

export interface BroadcastReaderParts extends Omit<ReaderCoreParts, 'bufferBytesMax'> {
  readonly options: BroadcastReaderOptions
  readonly onClosed: () => void
}

/** Reads every partition of a topic for itself alone, without a group, and keeps its place in memory. */
export class BroadcastReader implements Reader {
  readonly dropped = 0
  readonly #core: ReaderCore
  readonly #filter: SubjectFilter | undefined
  readonly #onClosed: () => void
  #ready: Promise<void>

  constructor(parts: BroadcastReaderParts) {
    const { options } = parts
    this.#filter = options.subjects && new SubjectFilter(options.subjects)
    this.#onClosed = parts.onClosed
    this.#core = new ReaderCore({ ...parts, bufferBytesMax: options.bufferBytesMax })
    this.#ready = this.#start(options.from ?? 'latest')
    this.#ready.catch((error: Error) => this.#core.fail(error))
  }

  get #partitions(): readonly number[] {
    return Array.from({ length: this.#core.topic.partitions }, (_, index) => index)
  }

  /** Partitions that the start does not name are read from their end. */
  async #start(from: StartPosition): Promise<void> {
    const { cluster, topic } = this.#core
    const partitions = this.#partitions
    const offsets = await startOffsets(cluster, topic.name, { from, partitions })
    const missing = partitions.filter((partition) => !offsets.has(partition))
    const ends =
      missing.length === 0
        ? new Map<number, number>()
        : await listOffsets(cluster, { topic: topic.name, at: 'latest', partitions: missing })
    if (this.#core.isClosed) return
    const { ttlMs, deduplicationWindowMs } = topic.settings
    for (const partition of partitions) {
      const gate = new OpenGate(offsets.get(partition) ?? ends.get(partition)!)
      // It knows what came since its start: nobody has told it of anything before.
      const ids = deduplicationWindowMs > 0 ? new SeenIds(deduplicationWindowMs) : undefined
      this.#core.addFeed(new Feed(partition, gate, { filter: this.#filter, group: undefined, ttlMs, ids }))
    }
  }

  async read(limits: ReadLimits = {}): Promise<Batch | null> {
    const topic = this.#core.topic.name
    this.#core.check(limits.signal)
    // Until the start is known, nothing that is written can be told from what was there before.
    await unlessAborted(
      this.#ready.catch(() => {}),
      limits.signal,
    )
    const collector = await this.#core.read(limits, {
      nextDueMs: () => undefined,
      take: (feed, sizes) => this.#take(feed, sizes),
    })
    if (collector === null) return null
    const last = collector.deliveries.at(-1)!.position
    return { topic, partition: last.partition, generation: GENERATION, deliveries: collector.deliveries, last }
  }

  #take(feed: Feed, sizes: ReadSizes): DeliveryCollector | undefined {
    const { topic, clock } = this.#core
    const collector = new DeliveryCollector({ topic: topic.name, partition: feed.partition, generation: GENERATION })
    feed.take(collector, { ...sizes, nowMs: clock.nowMs() })
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
    this.#core.check()
    await this.#ready
    const { cluster, topic, feeds } = this.#core
    const offsets = await startOffsets(cluster, topic.name, { from: to, partitions: this.#partitions })
    for (const [partition, offset] of offsets) feeds.get(partition)?.moveTo(offset)
    this.#core.wake()
  }

  async end(): Promise<readonly Position[]> {
    const { cluster, topic } = this.#core
    const ends = await listOffsets(cluster, { topic: topic.name, at: 'latest' })
    return [...ends].map(([partition, sequence]) => ({ partition, sequence }))
  }

  async lag(): Promise<readonly Lag[]> {
    await this.#ready
    const { cluster, topic, feeds } = this.#core
    return Promise.all(
      [...feeds.values()].map((feed) =>
        lagOf(cluster, {
          topic: topic.name,
          partition: feed.partition,
          committed: feed.gate.position,
          group: undefined,
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
