import { type Clock, ClosedError } from '../../../../core/index.ts'
import type { ReadLimits } from '../../../index.ts'
import { WaitPoint } from '../../../kit/index.ts'
import type { Cluster } from '../cluster.ts'
import type { Compressor } from '../protocol/compression.ts'
import type { KafkaTopic } from '../topic/kafka-topic.ts'
import type { DeliveryCollector } from './delivery-collector.ts'
import type { Feed } from './feed.ts'
import { Fetcher } from './fetcher.ts'

const MESSAGES_MAX = 4_096
const BYTES_MAX = 1024 * 1024
const BUFFER_BYTES_MAX = 4 * 1024 * 1024

/** What one read is limited to, decided. */
export interface ReadSizes {
  readonly countMax: number
  readonly bytesMax: number
}

export interface ReaderCoreParts {
  readonly cluster: Cluster
  readonly compressor: Compressor
  readonly topic: KafkaTopic
  readonly bufferBytesMax: number | undefined
}

/** What group and broadcast readers share: turns among partitions, waiting, waking, closing. */
export class ReaderCore {
  readonly topic: KafkaTopic
  readonly cluster: Cluster
  readonly clock: Clock
  readonly #fetcher: Fetcher
  readonly #waits: WaitPoint
  /** By partition; only those it may read now. */
  readonly feeds = new Map<number, Feed>()
  #order: Feed[] = []
  #turn = 0
  #closed = false
  #failure: Error | undefined

  constructor(parts: ReaderCoreParts) {
    this.topic = parts.topic
    this.cluster = parts.cluster
    this.clock = parts.cluster.clock
    this.#waits = new WaitPoint(this.clock)
    this.#fetcher = new Fetcher({
      ...parts,
      bufferBytesMax: parts.bufferBytesMax ?? BUFFER_BYTES_MAX,
      wake: () => this.#waits.wake(),
      fail: (error) => this.fail(error),
    })
  }

  get isClosed(): boolean {
    return this.#closed
  }

  closedError(): ClosedError {
    return new ClosedError(`the reader of "${this.topic.name}"`)
  }

  addFeed(feed: Feed): void {
    this.feeds.set(feed.partition, feed)
    this.#order = [...this.feeds.values()]
    this.#fetcher.add(feed)
    this.wake()
  }

  removeFeed(partition: number): void {
    this.feeds.delete(partition)
    this.#order = [...this.feeds.values()]
    this.#fetcher.remove(partition)
  }

  /** What may be given or fetched has changed. */
  wake(): void {
    this.#fetcher.pump()
    this.#waits.wake()
  }

  /** Nothing can be read any more, and every read says why. */
  fail(error: Error): void {
    this.#failure = error
    this.#waits.wake()
  }

  check(signal?: AbortSignal): void {
    signal?.throwIfAborted()
    if (this.#closed) throw this.closedError()
    if (this.#failure !== undefined) throw this.#failure
  }

  /**
   * Asks the feeds in turn until one gives something; waits when none does. `nextDueMs` is how long until something may
   * come without a fetch.
   */
  async read(
    limits: ReadLimits,
    steps: {
      readonly take: (
        feed: Feed,
        sizes: ReadSizes,
      ) => DeliveryCollector | undefined | Promise<DeliveryCollector | undefined>
      readonly nextDueMs: () => number | undefined
    },
  ): Promise<DeliveryCollector | null> {
    const sizes = { countMax: limits.maxMessages ?? MESSAGES_MAX, bytesMax: limits.maxBytes ?? BYTES_MAX }
    const deadlineMs = limits.waitMs === undefined ? undefined : this.clock.monotonicMs() + limits.waitMs
    for (;;) {
      this.check(limits.signal)
      for (let tried = 0; tried < this.#order.length; tried += 1) {
        this.#turn = (this.#turn + 1) % this.#order.length
        const feed = this.#order[this.#turn]!
        if (!feed.canGive(this.clock.monotonicMs())) continue
        this.#raise(feed)
        const collector = await steps.take(feed, sizes)
        this.#fetcher.pump()
        if (collector !== undefined) return collector
        this.check()
      }
      if (!(await this.#waitForMore(limits.signal, { deadlineMs, dueMs: steps.nextDueMs() }))) return null
    }
  }

  /** A gap is told of once. */
  #raise(feed: Feed): void {
    const { failure } = feed
    if (failure === undefined) return
    feed.failure = undefined
    this.#fetcher.pump()
    throw failure
  }

  /** False at the deadline. Nothing can come between the check of the feeds and the waiting: both are one turn. */
  async #waitForMore(
    signal: AbortSignal | undefined,
    times: { readonly deadlineMs: number | undefined; readonly dueMs: number | undefined },
  ): Promise<boolean> {
    const nowMs = this.clock.monotonicMs()
    const leftMs = times.deadlineMs === undefined ? undefined : times.deadlineMs - nowMs
    if (leftMs !== undefined && leftMs <= 0) return false
    for (const feed of this.#order) if (feed.canGive(nowMs)) return true
    const { dueMs } = times
    const delayMs = leftMs === undefined ? dueMs : dueMs === undefined ? leftMs : Math.min(leftMs, dueMs)
    await this.#waits.wait({ delayMs, signal })
    return true
  }

  close(): boolean {
    if (this.#closed) return false
    this.#closed = true
    this.#fetcher.close()
    this.#waits.fail(this.closedError())
    return true
  }
}
