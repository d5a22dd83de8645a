import type { ConsumeMessage } from 'amqplib'
import type { Clock, SkeinError } from '../../../core/index.ts'
import type { Delivery } from '../../index.ts'
import {
  type HeldMessage,
  PartitionProgress,
  REPLAY_HEADER,
  type ResolvedRetryPolicy,
  type StoredProgress,
  type SubjectFilter,
} from '../../kit/index.ts'
import { AmqpDelivery, headerOf, isExpired, orderKeyOf, streamOffsetOf, subjectOf } from './amqp-delivery.ts'
import type { ReadSizes, Source } from './read-loop.ts'
import type { StreamFeed } from './stream-feed.ts'

const ABANDONED = 'abandoned by its readers too often'
/** Given in vain so often, a message is given alone: if it kills its reader again, only it is counted. */
const SUSPECT_ATTEMPTS = 2

export interface GroupPartitionParts {
  readonly topic: string
  readonly group: string
  readonly feed: StreamFeed
  readonly filter: SubjectFilter | undefined
  readonly policy: ResolvedRetryPolicy
  readonly clock: Clock
  /** The log ended there when this reader took the partition: what lies below may have been given before. */
  readonly knownEnd: number
  /** Resolves when the counts as they are now are stored. */
  readonly flush: () => Promise<void>
  readonly touch: () => void
  readonly bury: (message: HeldMessage, error: string) => void
}

/** One partition of a log as one reader of a group has it: what was given, what failed, and what may come next. */
export class GroupPartition implements Source {
  readonly feed: StreamFeed
  generation = 0
  progress: PartitionProgress
  /** Being given up: nothing more is given. */
  isStopping = false
  /** A dead message stops it (`onDead: 'block'`). */
  isBlocked = false
  /** What the next read is told of, once: a dead letter that could not be stored. */
  news: SkeinError | undefined
  /** What becomes of what is in hand when this reader goes. */
  finalSave: 'abandoned' | 'released' = 'abandoned'
  readonly #parts: GroupPartitionParts
  /** The messages that are held, by their offset: they are given again from here. */
  readonly #kept = new Map<number, ConsumeMessage>()
  /** A suspect is in hand, or waits for the hand to be empty. */
  #isStalled = false
  #idle: Array<() => void> = []

  constructor(parts: GroupPartitionParts, stored: StoredProgress) {
    this.#parts = parts
    this.feed = parts.feed
    this.progress = new PartitionProgress(stored, parts.policy)
  }

  get partition(): number {
    return this.feed.partition
  }

  /** What is to be stored: what is in hand counts as given in vain, should this reader die. */
  save(): StoredProgress {
    return this.progress.save(this.finalSave)
  }

  get committed(): number {
    return this.progress.committed
  }

  canGive(): boolean {
    if (this.news !== undefined) return true
    if (this.isStopping || this.isBlocked) return false
    const dueMs = this.nextDueMs()
    if (dueMs !== undefined && dueMs <= this.#parts.clock.monotonicMs()) return true
    return this.#canFetch && this.feed.hasMore
  }

  get #canFetch(): boolean {
    return !this.#isStalled && !this.progress.isFull
  }

  nextDueMs(): number | undefined {
    return this.isStopping || this.isBlocked ? undefined : this.progress.nextDueMs()
  }

  /** Held messages whose turn has come before fresh ones. */
  async take(sizes: ReadSizes): Promise<readonly Delivery[] | undefined> {
    this.#tell()
    for (const held of this.progress.held.takeUnburied(this.#parts.clock.monotonicMs())) {
      this.#parts.bury(held, held.error ?? ABANDONED)
    }
    const due = this.#takeDue(sizes)
    const deliveries = due.length > 0 ? due : this.#takeFresh(sizes)
    if (deliveries.length === 0) return undefined
    // A count that is not stored when its reader dies is lost, and a message that kills would never be found out.
    if (deliveries[0]!.place.sequence < this.#parts.knownEnd) await this.#parts.flush().catch(() => {})
    else this.#parts.touch()
    return this.isStopping ? undefined : deliveries
  }

  #tell(): void {
    const { news } = this
    this.news = undefined
    if (news !== undefined) throw news
  }

  #takeDue({ countMax, nowMs }: ReadSizes): AmqpDelivery[] {
    const deliveries: AmqpDelivery[] = []
    for (const held of this.progress.takeDue(this.#parts.clock.monotonicMs(), countMax)) {
      const message = this.#kept.get(held.offset)
      if (message === undefined || isExpired(message, nowMs)) this.finish(held.offset)
      else deliveries.push(this.#delivery(message, held.offset, held.attempts + 1))
    }
    return deliveries
  }

  #takeFresh(sizes: ReadSizes): AmqpDelivery[] {
    const deliveries: AmqpDelivery[] = []
    const { progress, feed } = this
    let bytes = 0
    while (this.#canFetch && deliveries.length < sizes.countMax && bytes < sizes.bytesMax) {
      // A gap is told by itself: what was taken before it must not be lost with the error.
      const message = deliveries.length === 0 || feed.hasMessage ? feed.peek() : undefined
      if (message === undefined) break
      const offset = streamOffsetOf(message)
      const decision =
        offset < progress.position ? 'skip' : this.#decide(message, offset, deliveries.length, sizes.nowMs)
      if (decision === 'stop') break
      feed.shift()
      if (offset >= progress.position) progress.position = offset + 1
      if (decision === 'skip') continue
      deliveries.push(this.#delivery(message, offset, decision))
      bytes += message.content.byteLength
    }
    feed.credit()
    if (deliveries.length > 0) this.#noteGiven(deliveries)
    return deliveries
  }

  #delivery(message: ConsumeMessage, sequence: number, attempt: number): AmqpDelivery {
    const { topic } = this.#parts
    const { partition, generation } = this
    return new AmqpDelivery(message, { topic, partition, sequence, attempt, generation })
  }

  #noteGiven(deliveries: readonly AmqpDelivery[]): void {
    const from = deliveries[0]!.place.sequence
    const to = deliveries.at(-1)!.place.sequence
    const isDense = deliveries.length === to - from + 1
    this.progress.giveFresh({ from, to, offsets: isDense ? undefined : deliveries.map(({ place }) => place.sequence) })
  }

  #decide(message: ConsumeMessage, offset: number, count: number, nowMs: number): 'skip' | 'stop' | number {
    const { filter, group, policy } = this.#parts
    const { progress } = this
    if (filter !== undefined && !filter.wants(subjectOf(message))) return 'skip'
    if (isExpired(message, nowMs)) return 'skip'
    const replayedFor = headerOf(message, REPLAY_HEADER)
    if (replayedFor !== undefined && replayedFor !== group) return 'skip'
    if (progress.isPlain) return 1
    if (progress.isDone(offset)) return 'skip'
    const orderKey = orderKeyOf(message)
    if (progress.held.holdsKey(orderKey)) {
      progress.park({ offset, orderKey })
      this.#kept.set(offset, message)
      return 'skip'
    }
    const attempts = progress.attemptsOf(offset)
    if (attempts >= policy.attemptsMax) return this.#condemn(message, offset)
    return attempts < SUSPECT_ATTEMPTS ? attempts + 1 : this.#giveAlone(attempts, count)
  }

  #condemn(message: ConsumeMessage, offset: number): 'skip' {
    const held = this.progress.park({ offset, orderKey: orderKeyOf(message) })
    held.state = 'dying'
    this.#kept.set(offset, message)
    this.#parts.bury(held, ABANDONED)
    return 'skip'
  }

  #giveAlone(attempts: number, count: number): 'stop' | number {
    if (count > 0) return 'stop'
    this.#isStalled = true
    return this.progress.hasWorkInHand ? 'stop' : attempts + 1
  }

  /** Takes one message out of hand; undefined when it is not in hand. */
  putBack(delivery: AmqpDelivery, how: { readonly counts: boolean; readonly dueMs: number }): HeldMessage | undefined {
    const offset = delivery.place.sequence
    const held = this.progress.putBack({ offset, orderKey: orderKeyOf(delivery.message) }, how)
    if (held !== undefined) this.#kept.set(offset, delivery.message)
    return held
  }

  keptMessage(offset: number): ConsumeMessage | undefined {
    return this.#kept.get(offset)
  }

  finish(offset: number): void {
    this.progress.finish(offset)
    this.#kept.delete(offset)
    this.settled()
  }

  acknowledge(through: number): void {
    this.progress.acknowledge(through)
    if (this.#kept.size > 0) {
      for (const offset of this.#kept.keys()) if (!this.progress.held.has(offset)) this.#kept.delete(offset)
    }
    this.settled()
  }

  moveTo(offset: number): void {
    this.progress = new PartitionProgress(
      { settled: offset, delivered: offset, held: [], attempts: [] },
      this.#parts.policy,
    )
    this.#kept.clear()
    this.isBlocked = false
    this.feed.moveTo(offset)
    this.settled()
  }

  /** After every settlement. */
  settled(): void {
    if (this.progress.hasWorkInHand) return
    this.#isStalled = false
    const idle = this.#idle
    this.#idle = []
    for (const wake of idle) wake()
  }

  /** Resolves when nothing is in hand. */
  whenIdle(): Promise<void> {
    if (!this.progress.hasWorkInHand) return Promise.resolve()
    return new Promise((resolve) => this.#idle.push(resolve))
  }
}
