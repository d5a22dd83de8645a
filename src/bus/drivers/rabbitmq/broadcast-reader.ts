import { type Clock, UnsupportedError } from '../../../core/index.ts'
import type { Batch, BroadcastReaderOptions, Lag, Position, Reader, ReadLimits, StartPosition } from '../../index.ts'
import { SubjectFilter } from '../../kit/index.ts'
import { BroadcastPartition } from './broadcast-partition.ts'
import { type FeedStart, feedStart } from './feed-start.ts'
import { ReadLoop } from './read-loop.ts'
import type { StreamFeed } from './stream-feed.ts'
import type { StreamPlaces } from './stream-places.ts'
import type { OpenTopic } from './topics.ts'

export interface BroadcastReaderParts {
  readonly topic: OpenTopic
  readonly options: BroadcastReaderOptions
  readonly clock: Clock
  readonly places: StreamPlaces
  readonly feed: (partition: number, start: FeedStart, onChange: () => void) => StreamFeed
  readonly onClosed: () => void
}

/** Reads every partition of a log for itself alone, and keeps its place in memory. */
export class BroadcastReader implements Reader {
  readonly dropped = 0
  readonly #parts: BroadcastReaderParts
  readonly #loop: ReadLoop<BroadcastPartition>

  constructor(parts: BroadcastReaderParts) {
    this.#parts = parts
    const { topic, options, clock } = parts
    const { name, partitions } = topic.settings
    const filter = options.subjects && new SubjectFilter(options.subjects)
    const from = options.from ?? 'latest'
    this.#loop = new ReadLoop(name, clock)
    this.#loop.sources = Array.from({ length: partitions }, (_, partition) => {
      // A partition that no position names is read from its end.
      const start = feedStart(from, partition) ?? 'latest'
      return new BroadcastPartition(
        name,
        parts.feed(partition, start, () => this.#loop.wake()),
        filter,
      )
    })
  }

  /** Resolves once nothing that is written from then on can be missed. */
  async started(): Promise<void> {
    await Promise.all(this.#loop.sources.map(({ feed }) => feed.started))
  }

  read(limits: ReadLimits = {}): Promise<Batch | null> {
    return this.#loop.read(limits)
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
    if (this.#loop.isClosed) throw this.#loop.closedError()
    const moved = this.#loop.sources.map((source) => ({ source, start: feedStart(to, source.partition) }))
    // "The latest" is where the log ends now, not when the broker is asked next.
    const ends = to === 'latest' ? await this.end() : []
    for (const { source, start } of moved) {
      if (start === undefined) continue
      source.feed.moveTo(ends[source.partition]?.sequence ?? start)
    }
    this.#loop.wake()
  }

  end(): Promise<readonly Position[]> {
    return this.#parts.places.ends(this.#parts.topic)
  }

  async lag(): Promise<readonly Lag[]> {
    const { places, topic } = this.#parts
    return Promise.all(
      this.#loop.sources.map(async ({ partition, feed }) => {
        const committed = feed.place ?? (await this.#begun(partition, feed.start))
        return places.lag(topic, { partition, committed, group: undefined })
      }),
    )
  }

  /** Where a reader began that nothing has come to yet. */
  async #begun(partition: number, start: FeedStart): Promise<number> {
    const { places, topic } = this.#parts
    if (typeof start === 'number') return start
    if (start === 'earliest') return 0
    if (start === 'latest') return (await places.endsOf(topic, partition)).end
    return places.offsetAt(topic, partition, start.timestampMs)
  }

  async drain(): Promise<void> {
    await this.close()
  }

  async close(): Promise<void> {
    if (!this.#loop.close()) return
    for (const { feed } of this.#loop.sources) feed.close()
    this.#parts.onClosed()
  }
}
