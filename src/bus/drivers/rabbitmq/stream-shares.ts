import type { GroupReaderOptions, Lag, Position } from '../../index.ts'
import type { StoredProgress } from '../../kit/index.ts'
import { type FeedStart, feedStart } from './feed-start.ts'
import { Place, type PlaceParts } from './place.ts'
import type { GroupFeed, Hold, HoldEvents, ShareSource } from './share-source.ts'
import type { StreamPlaces } from './stream-places.ts'
import type { OpenTopic } from './topics.ts'

export interface StreamSharesParts {
  readonly topic: OpenTopic
  readonly options: GroupReaderOptions
  readonly places: StreamPlaces
  /** Everything of a place but its queue. */
  readonly place: Omit<PlaceParts, 'queue' | 'what'>
  /** As it is called now. */
  readonly placeName: (partition: number) => string
  /** That place is dead: resolves when everybody knows another name. */
  readonly renewPlace: (partition: number) => Promise<void>
  readonly enrol: () => Promise<void>
  readonly feed: (partition: number, start: FeedStart, onChange: () => void) => GroupFeed
}

/** The partitions of a topic that is kept as streams: a place in a queue of its own says how far the group is. */
export class StreamShares implements ShareSource {
  readonly #parts: StreamSharesParts

  constructor(parts: StreamSharesParts) {
    this.#parts = parts
  }

  enrol(): Promise<void> {
    return this.#parts.enrol()
  }

  hold(partition: number, save: () => StoredProgress, events: HoldEvents): Hold {
    const { place, placeName, options, topic } = this.#parts
    const what = `group "${options.group}" in partition ${partition} of "${topic.settings.name}"`
    return new Place<StoredProgress>({ ...place, queue: placeName(partition), what }, save, events)
  }

  async renew(partition: number): Promise<void> {
    if (this.#parts.place.members === 1) await this.#parts.renewPlace(partition)
  }

  async begin(
    partition: number,
    stored: StoredProgress | undefined,
  ): Promise<{ readonly progress: StoredProgress; readonly knownEnd: number }> {
    const { places, topic, options } = this.#parts
    const knownEnd = (await places.endsOf(topic, partition)).end
    const from = feedStart(options.from ?? 'earliest', partition)
    const progress = stored ?? startAt((await this.offsetOf(from, partition)) ?? 0)
    return { progress, knownEnd }
  }

  feed(partition: number, progress: StoredProgress, onChange: () => void): GroupFeed {
    const start = progress.held.reduce((least, [offset]) => Math.min(least, offset), progress.settled)
    return this.#parts.feed(partition, start, onChange)
  }

  async offsetOf(start: FeedStart | undefined, partition: number): Promise<number | undefined> {
    if (start === undefined || typeof start === 'number') return start
    const { places, topic } = this.#parts
    if (typeof start === 'object') return places.offsetAt(topic, partition, start.timestampMs)
    const ends = await places.endsOf(topic, partition)
    return start === 'earliest' ? ends.start : ends.end
  }

  ends(): Promise<readonly Position[]> {
    return this.#parts.places.ends(this.#parts.topic)
  }

  lag(partition: number, committed: number): Promise<Lag> {
    const { places, topic, options } = this.#parts
    return places.lag(topic, { partition, committed, group: options.group })
  }
}

function startAt(offset: number): StoredProgress {
  return { settled: offset, delivered: offset, held: [], attempts: [] }
}
