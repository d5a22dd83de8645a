import { type Clock, type Random, SkeinError } from '../../../core/index.ts'
import type {
  Assignment,
  Batch,
  Delivery,
  GroupReaderOptions,
  Lag,
  Position,
  RawBatch,
  Reader,
  ReadLimits,
  SettledMessage,
  SettleOptions,
  StartPosition,
} from '../../index.ts'
import {
  type HeldMessage,
  keepUnburied,
  type PartitionProgress,
  type ResolvedRetryPolicy,
  resolveRetryPolicy,
  retryDelayMs,
  StoredDelivery,
  SubjectFilter,
  type Unburied,
} from '../../kit/index.ts'
import type { Collector } from './collector.ts'
import type { DeadLetters } from './dead-letters.ts'
import { DeliveryCollector } from './delivery-collector.ts'
import type { Feed } from './feed.ts'
import type { Group, Member, MemberPartition } from './group.ts'
import { lagOf } from './lag.ts'
import { locatedError } from './located-error.ts'
import { RawCollector } from './raw-collector.ts'
import { ReaderCore, type ReadSizes } from './reader-core.ts'
import { collectOffsets, goneError } from './redelivery.ts'
import { startOffset } from './start-position.ts'

const REVOCATION_WAIT_MS = 5_000
const ABANDONED = 'abandoned by its readers too often'

type How = 'retry' | 'release' | 'dead'

export interface GroupReaderParts {
  readonly options: GroupReaderOptions
  readonly clock: Clock
  readonly random: Random
  readonly deadLetters: DeadLetters
  readonly onClosed: () => void
}

/** Reads its share of a topic's partitions for a group, and settles message by message where it must. */
export class GroupReader implements Reader, Member {
  readonly dropped = 0
  readonly filter: SubjectFilter | undefined
  readonly from: StartPosition
  readonly policy: ResolvedRetryPolicy
  readonly revocationWaitMs: number
  readonly #group: Group
  readonly #core: ReaderCore
  readonly #clock: Clock
  readonly #random: Random
  readonly #deadLetters: DeadLetters
  readonly #onClosed: () => void
  #listener: ((change: Assignment) => Promise<void> | void) | undefined

  constructor(group: Group, parts: GroupReaderParts) {
    const { options } = parts
    this.filter = options.subjects && new SubjectFilter(options.subjects)
    this.from = options.from ?? 'earliest'
    this.policy = resolveRetryPolicy(options.retry)
    this.revocationWaitMs = options.revocationWaitMs ?? REVOCATION_WAIT_MS
    this.#group = group
    this.#clock = parts.clock
    this.#random = parts.random
    this.#deadLetters = parts.deadLetters
    this.#onClosed = parts.onClosed
    this.#core = new ReaderCore(group.topic, {
      clock: parts.clock,
      filter: this.filter,
      bufferBytesMax: options.bufferBytesMax,
    })
    try {
      group.join(this)
    } catch (error) {
      this.#core.close()
      throw error
    }
  }

  get #topicName(): string {
    return this.#group.topic.settings.name
  }

  addFeed(feed: Feed): void {
    this.#core.addFeed(feed)
  }

  removeFeed(partition: number): void {
    this.#core.removeFeed(partition)
  }

  fail(error: Error): void {
    this.#core.fail(error)
  }

  async tell(change: Assignment): Promise<void> {
    await this.#listener?.(change)
  }

  onAssignment(listener: (change: Assignment) => Promise<void> | void): void {
    this.#listener = listener
  }

  async read(limits: ReadLimits = {}): Promise<Batch | null> {
    const topic = this.#topicName
    const given = await this.#read(limits, (partition) => {
      return new DeliveryCollector({ topic, partition: partition.partition.index, generation: partition.generation })
    })
    if (given === null) return null
    const { deliveries } = given.collector
    const last = deliveries.at(-1)!
    return {
      topic,
      partition: last.source.partition,
      generation: last.source.generation,
      deliveries,
      last: last.position,
    }
  }

  async places(): Promise<undefined> {}

  async readRaw(limits: ReadLimits = {}): Promise<RawBatch | null> {
    const given = await this.#read(limits, () => new RawCollector())
    if (given === null) return null
    const { collector, feed } = given
    const { generation, progress, partition } = feed.gate as MemberPartition
    return {
      topic: this.#topicName,
      partition: partition.index,
      generation,
      ordinal: progress.lastOrdinal,
      pieces: collector.finish(),
      count: collector.count,
      last: { partition: partition.index, sequence: collector.last },
      attempts: collector.attempts,
    }
  }

  #read<C extends Collector>(
    limits: ReadLimits,
    newCollector: (partition: MemberPartition) => C,
  ): Promise<{ readonly feed: Feed; readonly collector: C } | null> {
    return this.#core.read(limits, {
      nextDueMs: () => this.#nextDueMs(),
      take: (feed, sizes) => {
        const partition = feed.gate as MemberPartition
        return this.#take(partition, newCollector(partition), sizes)
      },
    })
  }

  #nextDueMs(): number | undefined {
    let least: number | undefined
    for (const feed of this.#core.feeds.values()) {
      const dueMs = (feed.gate as MemberPartition).nextDueMs()
      if (dueMs !== undefined && (least === undefined || dueMs < least)) least = dueMs
    }
    return least === undefined ? undefined : Math.max(0, least - this.#clock.monotonicMs())
  }

  /** Held messages whose turn has come before fresh ones. */
  async #take<C extends Collector>(partition: MemberPartition, collector: C, sizes: ReadSizes): Promise<C | undefined> {
    this.#buryAgain(partition)
    const due = partition.hasDue(this.#clock.monotonicMs())
    if (due) await this.#takeHeld(partition, collector, sizes)
    else await this.#takeFresh(partition, collector, sizes)
    if (partition.dying.length > 0) this.#buryFound(partition)
    if (collector.count === 0) return undefined
    this.#group.touch(partition)
    if (collector.first < partition.partition.openedAtOffset) await this.#storeGiven(partition)
    return partition.owner === this ? collector : undefined
  }

  /**
   * What was there before this process began may have been given before: then the count must be stored before it is given.
   * On a full disk reading goes on, and the count is stored when there is room.
   */
  async #storeGiven(partition: MemberPartition): Promise<void> {
    const { progress } = partition
    partition.isStoring = true
    try {
      await this.#group.flush()
    } catch (error) {
      if (error instanceof SkeinError && error.code === 'disk-full') return
      if (partition.progress === progress) partition.takeBack()
      throw error
    } finally {
      partition.isStoring = false
      this.#core.wake()
    }
  }

  async #takeFresh(partition: MemberPartition, collector: Collector, sizes: ReadSizes): Promise<void> {
    const { feed } = partition
    if (feed === undefined) return
    if (!feed.isBuffered) await feed.fill(Math.min(this.#core.bufferBytesMax, sizes.bytesMax))
    if (partition.feed !== feed || !partition.canFetch) return
    feed.take(collector, { ...sizes, nowMs: this.#clock.nowMs() })
    if (collector.count > 0) partition.noteGiven(collector)
  }

  async #takeHeld(partition: MemberPartition, collector: Collector, sizes: ReadSizes): Promise<void> {
    const { progress } = partition
    const due = progress.takeDue(this.#clock.monotonicMs(), sizes.countMax)
    partition.isStoring = true
    try {
      const { missing, lost } = await collectOffsets(partition.partition, {
        due,
        collector,
        nowMs: this.#clock.nowMs(),
      })
      if (partition.progress !== progress) return
      for (const offset of missing) progress.finish(offset)
      if (lost === undefined) return
      partition.takeBack()
      // Nobody can have it any more, and whoever reads is told so once.
      if (lost.isGone) progress.finish(lost.offset)
      partition.finishBefore(partition.partition.log.startOffset)
      this.#group.touch(partition)
      throw lost.error
    } finally {
      partition.isStoring = false
      this.#core.wake()
    }
  }

  async acknowledge(through: Position, generation?: number, ordinal?: number): Promise<void> {
    if (this.#core.isClosed) throw this.#core.closedError()
    const partition = this.#group.requireOwned(this, through.partition, generation)
    partition.progress.acknowledge(through.sequence, ordinal)
    this.#settled(partition)
    await this.#group.flush()
  }

  #settled(partition: MemberPartition): void {
    partition.settled()
    this.#group.touch(partition)
    this.#core.wake()
  }

  settle(
    messages: readonly Delivery[] | readonly SettledMessage[],
    how: How | 'expired',
    options: SettleOptions & { readonly generation?: number } = {},
  ): Promise<void> {
    if (this.#core.isClosed) return Promise.reject(this.#core.closedError())
    try {
      return this.#settleAll(messages, how, options)
    } catch (error) {
      return Promise.reject(error)
    }
  }

  async #settleAll(
    messages: readonly Delivery[] | readonly SettledMessage[],
    how: How | 'expired',
    options: SettleOptions & { readonly generation?: number },
  ): Promise<void> {
    const buried: Promise<void>[] = []
    for (const message of messages) {
      const { position } = message
      const generation = message instanceof StoredDelivery ? message.source.generation : options.generation
      const partition = this.#group.requireOwned(this, position.partition, generation)
      if (how === 'expired') {
        partition.progress.finish(position.sequence)
        this.#settled(partition)
        continue
      }
      const orderKey = 'orderKey' in message ? message.orderKey : (message.key ?? message.subject)
      const dead = this.#putBack(partition, { offset: position.sequence, orderKey }, { how, delayMs: options.delayMs })
      if (dead !== undefined) {
        const burying = this.#bury(partition, dead, options.error ?? 'no reason was given')
        // One behind it may be revoked, and then nobody waits for this one.
        burying.catch(() => {})
        buried.push(burying)
      }
      this.#settled(partition)
    }
    await Promise.all(buried)
    await this.#group.flush()
  }

  /** Comes back when the message is dead now. */
  #putBack(
    partition: MemberPartition,
    message: { readonly offset: number; readonly orderKey: string },
    verdict: { readonly how: How; readonly delayMs: number | undefined },
  ): HeldMessage | undefined {
    const { progress } = partition
    const nowMs = this.#clock.monotonicMs()
    const held = progress.putBack(message, { counts: verdict.how !== 'release', dueMs: nowMs })
    if (held === undefined) return undefined
    if (verdict.how === 'dead' || (verdict.how === 'retry' && held.attempts >= this.policy.attemptsMax)) {
      held.state = 'dying'
      return held
    }
    const delayMs =
      verdict.delayMs ?? (verdict.how === 'retry' ? retryDelayMs(this.policy, held.attempts, this.#random) : 0)
    held.dueMs = nowMs + delayMs
    return undefined
  }

  /** Stores the dead letter; only then may the group pass the message. */
  async #bury(partition: MemberPartition, message: HeldMessage, error: string): Promise<void> {
    if (this.policy.onDead === 'block') {
      partition.isBlocked = true
      return
    }
    const { progress } = partition
    let isBuried = false
    try {
      isBuried = await this.#deadLetters.bury(partition.partition, {
        group: this.#group.name,
        offset: message.offset,
        attempts: message.attempts,
        error,
      })
    } catch (cause) {
      if (!(cause instanceof SkeinError && cause.code === 'corrupt')) {
        throw this.#keepUnburied(partition, { progress, message, error, cause })
      }
      // Nobody can have it any more, and whoever reads is told so once.
      this.#core.tell(locatedError(cause, partition.partition) as Error)
      isBuried = true
    } finally {
      this.#core.wake()
    }
    if (!isBuried) this.#core.tell(goneError(partition.partition))
    progress.finish(message.offset)
    this.#settled(partition)
  }

  #keepUnburied(
    partition: MemberPartition,
    failure: Pick<Unburied, 'message' | 'error' | 'cause'> & { readonly progress: PartitionProgress },
  ): unknown {
    return keepUnburied(failure.progress.held, {
      ...failure,
      topic: this.#topicName,
      partition: partition.partition.index,
      nowMs: this.#clock.monotonicMs(),
      random: this.#random,
    })
  }

  /** Those given in vain too often before a restart. */
  #buryFound(partition: MemberPartition): void {
    const found = partition.dying
    partition.dying = []
    for (const message of found) this.#bury(partition, message, ABANDONED).catch((error) => this.#core.tell(error))
  }

  /** Whoever settled them has been told that their letters could not be stored. */
  #buryAgain(partition: MemberPartition): void {
    for (const message of partition.progress.held.takeUnburied(this.#clock.monotonicMs())) {
      this.#bury(partition, message, message.error ?? ABANDONED).catch(() => {})
    }
  }

  async seek(to: StartPosition): Promise<void> {
    if (this.#core.isClosed) throw this.#core.closedError()
    for (const partition of this.#group.owned(this)) {
      const offset = await startOffset(partition.partition, to)
      if (offset === undefined || partition.owner !== this) continue
      partition.moveTo(offset)
      this.#settled(partition)
    }
    await this.#group.flush()
  }

  async end(): Promise<readonly Position[]> {
    return this.#group.topic.partitions.map(({ index, log }) => ({ partition: index, sequence: log.endOffset }))
  }

  lag(): Promise<readonly Lag[]> {
    return Promise.all(
      this.#group
        .owned(this)
        .map((owned) =>
          lagOf(owned.partition, { committed: owned.committed, group: this.#group.name, clock: this.#clock }),
        ),
    )
  }

  drain(): Promise<void> {
    return this.#leave('released')
  }

  close(): Promise<void> {
    return this.#leave('abandoned')
  }

  async #leave(how: 'abandoned' | 'released'): Promise<void> {
    if (!this.#core.close()) return
    this.#group.leave(this, how)
    this.#onClosed()
    await this.#group.flush().catch((error: unknown) => {
      // The bus itself is closing: what is not stored will be given again.
      if (!(error instanceof SkeinError && error.code === 'closed')) throw error
    })
  }
}
