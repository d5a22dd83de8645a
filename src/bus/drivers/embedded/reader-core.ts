import { type Clock, ClosedError } from '../../../core/index.ts'
import type { ReadLimits } from '../../index.ts'
import { type SubjectFilter, WaitPoint } from '../../kit/index.ts'
import type { Collector } from './collector.ts'
import type { Feed } from './feed.ts'
import type { AppendedRange, TailListener } from './tail.ts'
import type { LogTopic } from './topic.ts'

const MESSAGES_MAX = 4_096
const BYTES_MAX = 1024 * 1024
const BUFFER_BYTES_MAX = 4 * 1024 * 1024

/** What one read is limited to, decided. */
export interface ReadSizes {
  readonly countMax: number
  readonly bytesMax: number
}

/** What group and broadcast readers share: turns among partitions, waiting, waking, closing. */
export class ReaderCore implements TailListener {
  readonly topic: LogTopic
  readonly clock: Clock
  readonly filter: SubjectFilter | undefined
  readonly bufferBytesMax: number
  readonly #waits: WaitPoint
  readonly #name: string
  /** By partition; only those it may read now. */
  readonly feeds = new Map<number, Feed>()
  #order: Feed[] = []
  #turn = 0
  #closed = false
  #failure: Error | undefined
  #news: Error | undefined

  constructor(
    topic: LogTopic,
    parts: {
      readonly clock: Clock
      readonly filter: SubjectFilter | undefined
      readonly bufferBytesMax: number | undefined
    },
  ) {
    this.topic = topic
    this.clock = parts.clock
    this.filter = parts.filter
    this.bufferBytesMax = parts.bufferBytesMax ?? BUFFER_BYTES_MAX
    this.#waits = new WaitPoint(parts.clock)
    this.#name = `the reader of "${topic.settings.name}"`
    topic.tail.add(this, parts.filter?.filters)
  }

  get isClosed(): boolean {
    return this.#closed
  }

  closedError(): ClosedError {
    return new ClosedError(this.#name)
  }

  addFeed(feed: Feed): void {
    this.feeds.set(feed.partition.index, feed)
    this.#order = [...this.feeds.values()]
    this.wake()
  }

  removeFeed(partition: number): void {
    this.feeds.delete(partition)
    this.#order = [...this.feeds.values()]
  }

  onTail(partition: number, appended: AppendedRange): void {
    const feed = this.feeds.get(partition)
    if (feed === undefined || appended.lastOffset < feed.gate.position) return
    feed.tell(appended)
    this.wake()
  }

  wake(): void {
    this.#waits.wake()
  }

  /** Nothing can be read any more, and every read says why. */
  fail(error: Error): void {
    this.#failure = error
    this.wake()
  }

  /** The next read rejects with it, the one after it goes on. */
  tell(error: Error): void {
    this.#news = error
    this.wake()
  }

  #check(signal: AbortSignal | undefined): void {
    signal?.throwIfAborted()
    if (this.#closed) throw this.closedError()
    if (this.#failure !== undefined) throw this.#failure
    const news = this.#news
    this.#news = undefined
    if (news !== undefined) throw news
  }

  /**
   * Asks the feeds in turn until one gives something; waits when none does. `nextDueMs` is how long until something may
   * come without an append.
   */
  async read<C extends Collector>(
    limits: ReadLimits,
    steps: {
      readonly take: (feed: Feed, sizes: ReadSizes) => Promise<C | undefined>
      readonly nextDueMs: () => number | undefined
    },
  ): Promise<{ readonly feed: Feed; readonly collector: C } | null> {
    const sizes = { countMax: limits.maxMessages ?? MESSAGES_MAX, bytesMax: limits.maxBytes ?? BYTES_MAX }
    const deadlineMs = limits.waitMs === undefined ? undefined : this.clock.monotonicMs() + limits.waitMs
    for (;;) {
      this.#check(limits.signal)
      for (let tried = 0; tried < this.#order.length; tried += 1) {
        this.#turn = (this.#turn + 1) % this.#order.length
        const feed = this.#order[this.#turn]!
        if (!feed.canGive(this.clock.monotonicMs())) continue
        const collector = await steps.take(feed, sizes)
        if (collector !== undefined) return { feed, collector }
        if (this.#closed) throw this.closedError()
      }
      if (!(await this.#waitForMore(limits.signal, { deadlineMs, dueMs: steps.nextDueMs() }))) return null
    }
  }

  /** False at the deadline. Nothing can come between the check of the feeds and the waiting: both are one turn. */
  async #waitForMore(
    signal: AbortSignal | undefined,
    times: { readonly deadlineMs: number | undefined; readonly dueMs: number | undefined },
  ): Promise<boolean> {
    const leftMs = times.deadlineMs === undefined ? undefined : times.deadlineMs - this.clock.monotonicMs()
    if (leftMs !== undefined && leftMs <= 0) return false
    const nowMs = this.clock.monotonicMs()
    for (const feed of this.#order) {
      if (feed.canGive(nowMs)) return true
      if (!feed.hasMore) feed.follow()
    }
    const { dueMs } = times
    const delayMs = leftMs === undefined ? dueMs : dueMs === undefined ? leftMs : Math.min(leftMs, dueMs)
    await this.#waits.wait({ delayMs, signal })
    return true
  }

  close(): boolean {
    if (this.#closed) return false
    this.#closed = true
    this.topic.tail.remove(this, this.filter?.filters)
    this.#waits.fail(this.closedError())
    return true
  }
}
