import type { Delivery } from '../../index.ts'
import { REPLAY_HEADER, type SubjectFilter } from '../../kit/index.ts'
import { AmqpDelivery, headerOf, isExpired, streamOffsetOf, subjectOf } from './amqp-delivery.ts'
import type { ReadSizes, Source } from './read-loop.ts'
import type { StreamFeed } from './stream-feed.ts'

/** One partition of a log as a reader sees it who keeps no account of single messages. */
export class BroadcastPartition implements Source {
  readonly generation = 1
  readonly feed: StreamFeed
  readonly #topic: string
  readonly #filter: SubjectFilter | undefined

  constructor(topic: string, feed: StreamFeed, filter: SubjectFilter | undefined) {
    this.#topic = topic
    this.feed = feed
    this.#filter = filter
  }

  get partition(): number {
    return this.feed.partition
  }

  canGive(): boolean {
    return this.feed.hasMore
  }

  nextDueMs(): undefined {
    return undefined
  }

  take({ countMax, bytesMax, nowMs }: ReadSizes): Delivery[] {
    const deliveries: Delivery[] = []
    let bytes = 0
    while (deliveries.length < countMax && bytes < bytesMax) {
      const message = deliveries.length === 0 || this.feed.hasMessage ? this.feed.peek() : undefined
      if (message === undefined) break
      const sequence = streamOffsetOf(message)
      this.feed.shift()
      if (this.#filter !== undefined && !this.#filter.wants(subjectOf(message))) continue
      if (isExpired(message, nowMs) || headerOf(message, REPLAY_HEADER) !== undefined) continue
      const { partition } = this
      deliveries.push(new AmqpDelivery(message, { topic: this.#topic, partition, sequence, attempt: 1, generation: 1 }))
      bytes += message.content.byteLength
    }
    this.feed.credit()
    return deliveries
  }
}
