import type { ConsumeMessage } from 'amqplib'
import type { Clock, SkeinError } from '../../../core/index.ts'
import type { Delivery } from '../../index.ts'
import {
  GroupGate,
  type HeldMessage,
  REPLAY_HEADER,
  type ResolvedRetryPolicy,
  type StoredProgress,
  type SubjectFilter,
} from '../../kit/index.ts'
import { AmqpDelivery, headerOf, isExpired, orderKeyOf, subjectOf } from './amqp-delivery.ts'
import { KEY_HEADER } from './envelope.ts'
import type { ReadSizes, Source } from './read-loop.ts'
import type { GroupFeed } from './share-source.ts'

const ABANDONED = 'abandoned by its readers too often'

export interface GroupPartitionParts {
  readonly topic: string
  readonly group: string
  readonly feed: GroupFeed
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
export class GroupPartition extends GroupGate implements Source {
  readonly feed: GroupFeed
  generation = 0
  /** What the next read is told of, once: a dead letter that could not be stored. */
  news: SkeinError | undefined
  /** What becomes of what is in hand when this reader goes. */
  finalSave: 'abandoned' | 'released' = 'abandoned'
  readonly #parts: GroupPartitionParts
  /** The messages that are held, by their offset: they are given again from here. */
  readonly #kept = new Map<number, ConsumeMessage>()

  constructor(parts: GroupPartitionParts, stored: StoredProgress) {
    super(stored, parts.policy)
    this.#parts = parts
    this.feed = parts.feed
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
    return this.hasDue(this.#parts.clock.monotonicMs()) || (this.canFetch && this.feed.hasMore)
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
    while (this.canFetch && deliveries.length < sizes.countMax && bytes < sizes.bytesMax) {
      // A gap is told by itself: what was taken before it must not be lost with the error.
      const message = deliveries.length === 0 || feed.hasMessage ? feed.peek() : undefined
      if (message === undefined) break
      const offset = feed.offsetOf(message)
      const isPast = offset < progress.position || feed.isRepeat(message)
      const decision = isPast ? 'skip' : this.#decide(message, offset, deliveries.length, sizes.nowMs)
      if (decision === 'stop') break
      feed.shift()
      if (offset >= progress.position) progress.position = offset + 1
      if (decision === 'skip') continue
      deliveries.push(this.#delivery(message, offset, decision))
      bytes += message.content.byteLength
    }
    feed.credit()
    if (deliveries.length > 0) this.#note(deliveries)
    return deliveries
  }

  #delivery(message: ConsumeMessage, sequence: number, attempt: number): AmqpDelivery {
    const { topic } = this.#parts
    const { partition, generation } = this
    return new AmqpDelivery(message, { topic, partition, sequence, attempt, generation })
  }

  #note(deliveries: readonly AmqpDelivery[]): void {
    const [first, last] = [deliveries[0]!.place.sequence, deliveries.at(-1)!.place.sequence]
    const offsets = () => deliveries.map(({ place }) => place.sequence)
    this.noteGiven({ first, last, count: deliveries.length, offsets })
  }

  #decide(message: ConsumeMessage, offset: number, count: number, nowMs: number): 'skip' | 'stop' | number {
    const { filter, group } = this.#parts
    if (filter !== undefined && !filter.wants(subjectOf(message))) return 'skip'
    if (isExpired(message, nowMs)) return 'skip'
    const replayedFor = headerOf(message, REPLAY_HEADER)
    if (replayedFor !== undefined && replayedFor !== group) return 'skip'
    const tries = this.feed.triesOf(message)
    if (tries > 0) this.progress.noteAttempts(offset, tries)
    if (this.isPlain) return 1
    const decision = this.decide({ offset, key: headerOf(message, KEY_HEADER), subject: subjectOf(message) }, count)
    if (decision === 'skip' && this.progress.held.has(offset)) this.#kept.set(offset, message)
    for (const dead of this.dying.splice(0)) this.#parts.bury(dead, ABANDONED)
    return decision
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
    this.restartAt(offset)
    this.#kept.clear()
    this.feed.moveTo(offset)
  }
}
