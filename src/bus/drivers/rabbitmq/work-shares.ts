import type { Channel } from 'amqplib'
import { type Clock, type Random, SkeinError } from '../../../core/index.ts'
import type { GroupReaderOptions, Lag, Position } from '../../index.ts'
import type { StoredProgress } from '../../kit/index.ts'
import type { Link } from './link.ts'
import type { GroupFeed, Hold, HoldEvents, ShareSource } from './share-source.ts'
import type { OpenTopic } from './topics.ts'
import { withChannel } from './with-channel.ts'
import { noReplay } from './work-feed.ts'
import type { WorkGroups } from './work-groups.ts'
import { WorkQueue } from './work-queue.ts'

const BUFFER_BYTES_MAX = 4 * 1024 * 1024
/** AMQP bounds what it sends by a count: of messages of this size they would fill the buffer. */
const USUAL_BYTES = 16 * 1024
const PREFETCH_LEAST = 16

export interface WorkSharesParts {
  readonly topic: OpenTopic
  readonly options: GroupReaderOptions
  readonly groups: WorkGroups
  /** Consuming has a connection of its own. */
  readonly consume: Link
  readonly control: Link
  readonly clock: Clock
  readonly random: Random
}

/** The partitions of a topic whose messages are work: the queue of a partition is both who has it and what there is to do. */
export class WorkShares implements ShareSource {
  readonly #parts: WorkSharesParts
  readonly #queues = new Map<number, WorkQueue>()
  readonly #offsets = new Map<number, { next: number }>()
  #queueOf: ((partition: number) => string) | undefined

  constructor(parts: WorkSharesParts) {
    this.#parts = parts
  }

  async enrol(): Promise<void> {
    const { groups, topic, options } = this.#parts
    if (options.from !== undefined && options.from !== 'earliest') throw noReplay()
    this.#queueOf = await groups.enrol(topic.settings, options.group, options.subjects)
  }

  hold(partition: number, save: () => StoredProgress, events: HoldEvents): Hold {
    const { consume, topic, options, clock, random } = this.#parts
    const offsets = this.#offsets.get(partition) ?? { next: 0 }
    this.#offsets.set(partition, offsets)
    const bytesMax = options.bufferBytesMax ?? BUFFER_BYTES_MAX
    const queue = new WorkQueue(
      {
        ...{ link: consume, clock, random, partition, offsets },
        queue: this.#queueOf!(partition),
        what: `group "${options.group}" in partition ${partition} of "${topic.settings.name}"`,
        prefetch: Math.max(PREFETCH_LEAST, Math.floor(bytesMax / USUAL_BYTES)),
      },
      save,
      events,
    )
    this.#queues.set(partition, queue)
    return queue
  }

  async renew(): Promise<void> {}

  async begin(partition: number): Promise<{ readonly progress: StoredProgress; readonly knownEnd: number }> {
    const base = this.#feedOf(partition).base
    return { progress: { settled: base, delivered: base, held: [], attempts: [] }, knownEnd: base }
  }

  #feedOf(partition: number) {
    const feed = this.#queues.get(partition)?.feed
    if (feed !== undefined) return feed
    throw new SkeinError('connection-lost', 'The queue was lost while it was taken', { retryable: true })
  }

  feed(partition: number): GroupFeed {
    return this.#feedOf(partition)
  }

  offsetOf(): Promise<never> {
    return Promise.reject(noReplay())
  }

  ends(): Promise<readonly Position[]> {
    return Promise.reject(noReplay())
  }

  /** What waits in the queue and what is in this reader's hands. */
  async lag(partition: number): Promise<Lag> {
    const { control, topic, options } = this.#parts
    const { name } = topic.settings
    const waiting = await withChannel(control, `Cannot tell the lag of "${name}"`, (channel: Channel) =>
      channel.checkQueue(this.#queueOf!(partition)),
    )
    const outstanding = this.#queues.get(partition)?.outstanding ?? 0
    return {
      ...{ topic: name, group: options.group, partition },
      messages: waiting.messageCount + outstanding,
      seconds: undefined,
    }
  }
}
