import { type Random, SkeinError } from '../../../../core/index.ts'
import type {
  Assignment,
  Batch,
  Delivery,
  GroupReaderOptions,
  Lag,
  Position,
  Reader,
  ReadLimits,
  SettleOptions,
  StartPosition,
} from '../../../index.ts'
import {
  buryAll,
  type HeldMessage,
  keepUnburied,
  type ResolvedRetryPolicy,
  resolveRetryPolicy,
  retryDelayMs,
  type StoredProgress,
  SubjectFilter,
} from '../../../kit/index.ts'
import type { Cluster } from '../cluster.ts'
import { DeliveryCollector } from '../read/delivery-collector.ts'
import { Feed } from '../read/feed.ts'
import { KafkaDelivery } from '../read/kafka-delivery.ts'
import { lagOf } from '../read/lag.ts'
import { listOffsets } from '../read/list-offsets.ts'
import { ReaderCore, type ReaderCoreParts, type ReadSizes } from '../read/reader-core.ts'
import { startOffsets } from '../read/start-offsets.ts'
import type { DeadLetters } from './dead-letters.ts'
import { GroupCommits } from './group-commits.ts'
import { groupId } from './group-id.ts'
import type { Committer } from './group-offsets.ts'
import { GroupPartition } from './group-partition.ts'
import { type GroupPlace, groupPlaces } from './group-places.ts'
import { Membership } from './membership.ts'
import { collectHeld } from './redelivery.ts'

const REVOCATION_WAIT_MS = 5_000
const ABANDONED = 'abandoned by its readers too often'
const READ_AGAIN_MS = 250

type How = 'retry' | 'release' | 'dead'

/** What a transaction has to know of a partition that was acknowledged in it. */
export interface PartitionInTransaction {
  readonly partition: number
  /** Of the assignment under which it was acknowledged: another one knows nothing of the transaction. */
  readonly generation: number
  /** Where the group goes on when the transaction is aborted. */
  readonly before: StoredProgress
  readonly after: () => StoredProgress
}

export interface GroupReaderParts extends Omit<ReaderCoreParts, 'bufferBytesMax'> {
  readonly options: GroupReaderOptions
  readonly deadLetters: DeadLetters
  readonly heartbeatIntervalMs: number | undefined
  readonly onClosed: () => void
  /** The group has changed: its other readers here need not wait for their next report. */
  readonly onChange: () => void
}

/** Reads the partitions that Kafka assigns to this member of a group, and settles message by message where it must. */
export class GroupReader implements Reader {
  readonly dropped = 0
  readonly filter: SubjectFilter | undefined
  readonly #options: GroupReaderOptions
  readonly #policy: ResolvedRetryPolicy
  readonly #core: ReaderCore
  readonly #cluster: Cluster
  readonly #random: Random
  readonly #deadLetters: DeadLetters
  readonly #membership: Membership
  readonly #commits: GroupCommits
  readonly #partitions = new Map<number, GroupPartition>()
  readonly #onClosed: () => void
  readonly #onChange: () => void
  #listener: ((change: Assignment) => Promise<void> | void) | undefined
  #generation = 0
  #left: Promise<void> | undefined

  constructor(parts: GroupReaderParts) {
    const { options, cluster, topic } = parts
    this.filter = options.subjects && new SubjectFilter(options.subjects)
    this.#options = options
    this.#policy = resolveRetryPolicy(options.retry)
    this.#cluster = cluster
    this.#random = cluster.random
    this.#deadLetters = parts.deadLetters
    this.#onClosed = parts.onClosed
    this.#onChange = parts.onChange
    this.#core = new ReaderCore({ ...parts, bufferBytesMax: options.bufferBytesMax })
    this.#membership = new Membership({
      cluster,
      groupId: groupId(topic.name, options.group),
      topic,
      revocationWaitMs: options.revocationWaitMs ?? REVOCATION_WAIT_MS,
      heartbeatIntervalMs: parts.heartbeatIntervalMs,
      revoke: (partitions) => this.#revoke(partitions),
      assign: (partitions) => this.#assign(partitions),
      lose: (partitions) => this.#lose(partitions),
      fail: (error) => this.#core.fail(error),
    })
    this.#commits = new GroupCommits({
      cluster,
      topic: topic.name,
      group: options.group,
      membership: this.#membership,
    })
    void this.#membership.beat().then(() => this.#onChange())
  }

  get group(): string {
    return this.#options.group
  }

  get topicName(): string {
    return this.#core.topic.name
  }

  /** Asks the broker now whether the assignment has changed. */
  look(): void {
    void this.#membership.beat()
  }

  async #assign(partitions: readonly number[]): Promise<void> {
    const { topic } = this.#core
    const from = this.#options.from ?? 'earliest'
    const id = groupId(topic.name, this.group)
    const places = await groupPlaces(this.#cluster, { topic, groupId: id, from, partitions, reader: this.#core })
    if (from !== 'earliest') await this.#commitBeginnings(places)
    if (this.#core.isClosed) return
    this.#generation += 1
    for (const place of places) this.#open(place)
    // News only: an application that fails on them is not asked to go on.
    this.#tell({ generation: this.#generation, added: partitions, removed: [] }).catch(() => {})
    this.#onChange()
  }

  /** "The latest" must still mean the same after a restart; the earliest means it by itself. */
  async #commitBeginnings(places: readonly GroupPlace[]): Promise<void> {
    for (const { partition, stored, isNew } of places) if (isNew) this.#commits.touch(partition, () => stored)
    await this.#commits.flush()
  }

  #open(place: GroupPlace): void {
    const { partition, ids } = place
    this.#commits.forget(partition)
    const opened = new GroupPartition(place, { generation: this.#generation, policy: this.#policy })
    const { ttlMs } = this.#core.topic.settings
    opened.feed = new Feed(partition, opened, { filter: this.filter, group: this.group, ttlMs, ids })
    this.#partitions.set(partition, opened)
    this.#core.addFeed(opened.feed)
  }

  /** Waits, within the bound, for the application and for what it has in hand; then commits the place. */
  async #revoke(partitions: readonly number[]): Promise<void> {
    const lost = partitions.map((partition) => this.#partitions.get(partition)).filter((one) => one !== undefined)
    for (const partition of lost) partition.isStopping = true
    const told = this.#tell({ generation: this.#generation, added: [], removed: partitions })
    const finished = Promise.allSettled([told, ...lost.map((partition) => partition.whenIdle())])
    const stop = new AbortController()
    const boundMs = this.#options.revocationWaitMs ?? REVOCATION_WAIT_MS
    const bound = this.#core.clock.sleep(boundMs, { signal: stop.signal }).catch(() => {})
    await Promise.race([finished, bound])
    stop.abort()
    for (const partition of lost) this.#drop(partition, 'abandoned')
    await this.#commits.flush().catch((error: unknown) => {
      // Others have the place already, or this reader is closing: what is not committed is given again.
      if (!(error instanceof SkeinError && (error.code === 'revoked' || error.code === 'closed'))) throw error
    })
  }

  #drop(partition: GroupPartition, how: 'abandoned' | 'released'): void {
    if (this.#partitions.get(partition.partition) !== partition) return
    const stored = partition.save(how)
    this.#partitions.delete(partition.partition)
    this.#core.removeFeed(partition.partition)
    if (!partition.isInTransaction) this.#commits.touch(partition.partition, () => stored)
  }

  #lose(partitions: readonly number[]): void {
    for (const partition of partitions) {
      this.#partitions.delete(partition)
      this.#core.removeFeed(partition)
    }
    this.#tell({ generation: this.#generation, added: [], removed: partitions }).catch(() => {})
  }

  async #tell(change: Assignment): Promise<void> {
    await this.#listener?.(change)
  }

  onAssignment(listener: (change: Assignment) => Promise<void> | void): void {
    this.#listener = listener
  }

  async read(limits: ReadLimits = {}): Promise<Batch | null> {
    const collector = await this.#core.read(limits, {
      nextDueMs: () => this.#nextDueMs(),
      take: (feed, sizes) => this.#take(feed.gate as GroupPartition, sizes),
    })
    if (collector === null) return null
    const { deliveries } = collector
    const last = deliveries.at(-1)!
    return {
      topic: this.topicName,
      partition: last.source.partition,
      generation: last.source.generation,
      deliveries,
      last: last.position,
    }
  }

  #nextDueMs(): number | undefined {
    let least: number | undefined
    for (const partition of this.#partitions.values()) {
      const dueMs = partition.nextDueMs()
      if (dueMs !== undefined && (least === undefined || dueMs < least)) least = dueMs
    }
    return least === undefined ? undefined : Math.max(0, least - this.#core.clock.monotonicMs())
  }

  /** Held messages whose turn has come before fresh ones. */
  #take(
    partition: GroupPartition,
    sizes: ReadSizes,
  ): DeliveryCollector | undefined | Promise<DeliveryCollector | undefined> {
    const collector = new DeliveryCollector({
      topic: this.topicName,
      partition: partition.partition,
      generation: partition.generation,
    })
    if (partition.hasDue(this.#core.clock.monotonicMs())) {
      return this.#takeHeld(partition, collector, sizes).then(() => this.#taken(partition, collector))
    }
    this.#takeFresh(partition, collector, sizes)
    return this.#taken(partition, collector)
  }

  #taken(
    partition: GroupPartition,
    collector: DeliveryCollector,
  ): DeliveryCollector | undefined | Promise<DeliveryCollector | undefined> {
    this.#buryFound(partition)
    if (collector.count === 0) return undefined
    // What was there before this assignment may have been given before: then the count must be stored first.
    if (collector.first >= partition.openedAtOffset) return collector
    return this.#countFirst(partition, collector)
  }

  /** Nothing is given of a partition that went to another reader meanwhile. */
  async #countFirst(partition: GroupPartition, collector: DeliveryCollector): Promise<DeliveryCollector | undefined> {
    try {
      await this.#commits.flush()
    } catch (error) {
      if (!(error instanceof SkeinError && error.code === 'revoked')) throw error
      return undefined
    }
    return this.#partitions.get(partition.partition) === partition ? collector : undefined
  }

  #takeFresh(partition: GroupPartition, collector: DeliveryCollector, sizes: ReadSizes): void {
    const { feed } = partition
    if (feed === undefined || !partition.canFetch) return
    const before = partition.position
    feed.take(collector, { ...sizes, nowMs: this.#core.clock.nowMs() })
    if (collector.count > 0) partition.noteGiven(collector)
    if (partition.position !== before) this.#touch(partition)
  }

  async #takeHeld(partition: GroupPartition, collector: DeliveryCollector, sizes: ReadSizes): Promise<void> {
    const { progress } = partition
    const nowMs = this.#core.clock.monotonicMs()
    const due = progress.takeDue(nowMs, sizes.countMax)
    try {
      const missing = await collectHeld(this.#cluster, {
        topic: this.topicName,
        partition: partition.partition,
        due,
        collector,
        ttlMs: this.#core.topic.settings.ttlMs,
      })
      for (const offset of missing) progress.finish(offset)
      this.#touch(partition)
    } catch {
      // Kafka could not be read now: they wait on, untried.
      for (const message of due) progress.putBack(message, { counts: false, dueMs: nowMs + READ_AGAIN_MS })
      collector.deliveries.length = 0
    }
  }

  /** To be committed soon. */
  #touch(partition: GroupPartition): void {
    if (this.#partitions.get(partition.partition) !== partition) return
    this.#commits.touch(partition.partition, () => {
      const isOurs = this.#partitions.get(partition.partition) === partition && !partition.isInTransaction
      return isOurs ? partition.save('abandoned') : undefined
    })
  }

  /** The partition, if this reader has it under that generation. Throws `revoked`. */
  requireOwned(partition: number, generation: number | undefined): GroupPartition {
    const owned = this.#partitions.get(partition)
    if (owned !== undefined && (generation === undefined || generation === owned.generation)) return owned
    throw new SkeinError(
      'revoked',
      `Cannot settle messages of partition ${partition} of "${this.topicName}": Kafka gave it to another reader of group ` +
        `"${this.group}", or gave it anew; they will be delivered again`,
      { details: { topic: this.topicName, group: this.group, partition } },
    )
  }

  async acknowledge(through: Position, generation?: number): Promise<void> {
    if (this.#core.isClosed) throw this.#core.closedError()
    const partition = this.requireOwned(through.partition, generation)
    partition.progress.acknowledge(through.sequence)
    this.#settled(partition)
    await this.#commits.flush()
  }

  #settled(partition: GroupPartition): void {
    partition.settled()
    this.#touch(partition)
    this.#core.wake()
  }

  settle(deliveries: readonly Delivery[], how: How, options: SettleOptions = {}): Promise<void> {
    if (this.#core.isClosed) return Promise.reject(this.#core.closedError())
    return this.#settleAll(deliveries, how, options)
  }

  async #settleAll(deliveries: readonly Delivery[], how: How, options: SettleOptions): Promise<void> {
    const dying: Array<readonly [GroupPartition, HeldMessage]> = []
    for (const delivery of deliveries) {
      const { position } = delivery
      const generation = delivery instanceof KafkaDelivery ? delivery.source.generation : undefined
      const partition = this.requireOwned(position.partition, generation)
      const message = { offset: position.sequence, orderKey: delivery.key ?? delivery.subject }
      const dead = this.#putBack(partition, message, { how, delayMs: options.delayMs })
      if (dead !== undefined) dying.push([partition, dead])
      this.#settled(partition)
    }
    // In order, so that they are replayed in order.
    const error = options.error ?? 'no reason was given'
    const failed = await buryAll(dying, ([partition, dead]) => this.#bury(partition, dead, error))
    await this.#commits.flush()
    if (failed !== undefined) throw failed.error
  }

  /** Comes back when the message is dead now. */
  #putBack(
    partition: GroupPartition,
    message: { readonly offset: number; readonly orderKey: string },
    verdict: { readonly how: How; readonly delayMs: number | undefined },
  ): HeldMessage | undefined {
    const nowMs = this.#core.clock.monotonicMs()
    const held = partition.progress.putBack(message, { counts: verdict.how !== 'release', dueMs: nowMs })
    if (held === undefined) return undefined
    if (verdict.how === 'dead' || (verdict.how === 'retry' && held.attempts >= this.#policy.attemptsMax)) {
      held.state = 'dying'
      return held
    }
    const ownDelayMs = verdict.how === 'retry' ? retryDelayMs(this.#policy, held.attempts, this.#random) : 0
    held.dueMs = nowMs + (verdict.delayMs ?? ownDelayMs)
    return undefined
  }

  /** Stores the dead letter; only then may the group pass the message. */
  async #bury(partition: GroupPartition, message: HeldMessage, error: string): Promise<void> {
    if (this.#policy.onDead === 'block') {
      partition.isBlocked = true
      return
    }
    const { progress } = partition
    const burial = { ...message, partition: partition.partition, group: this.group, error }
    try {
      await this.#deadLetters.bury(this.#core.topic, burial)
    } catch (cause) {
      throw keepUnburied(progress.held, {
        ...{ ...burial, message, cause, topic: this.topicName },
        nowMs: this.#core.clock.monotonicMs(),
        random: this.#random,
      })
    } finally {
      this.#core.wake()
    }
    progress.finish(message.offset)
    this.#settled(partition)
  }

  /** Those given in vain too often before a restart, and those whose letters could not be stored before. */
  #buryFound(partition: GroupPartition): void {
    const found = [...partition.progress.held.takeUnburied(this.#core.clock.monotonicMs()), ...partition.dying]
    partition.dying = []
    if (found.length === 0) return
    void buryAll(found, (message) =>
      this.#bury(partition, message, message.error ?? ABANDONED).catch((error) => {
        // Whoever reads is told once; who settled it has been told.
        if (message.burials === 1 && partition.feed !== undefined) partition.feed.failure ??= error
      }),
    )
  }

  /** Who commits for this group, when a transaction does. */
  get committer(): Committer {
    return this.#membership.committer
  }

  /** After the broker did not take the member's epoch: the next report brings the one of now. */
  renewCommitter(): Promise<void> {
    return this.#membership.beat()
  }

  /** Takes the acknowledgment into a transaction: until that ends, the partition gives and commits nothing by itself. */
  acknowledgeLater(through: Position, generation: number | undefined): PartitionInTransaction {
    if (this.#core.isClosed) throw this.#core.closedError()
    const partition = this.requireOwned(through.partition, generation)
    const before = partition.save('abandoned')
    partition.isInTransaction = true
    partition.progress.acknowledge(through.sequence)
    return {
      partition: through.partition,
      generation: partition.generation,
      before,
      after: () => partition.save('abandoned'),
    }
  }

  /** The transaction has ended. `stored`: where the group stands, when that is not where it was acknowledged. */
  endTransaction({ partition, generation }: PartitionInTransaction, stored: StoredProgress | undefined): void {
    const owned = this.#partitions.get(partition)
    if (owned?.generation !== generation) return
    owned.isInTransaction = false
    this.#commits.forget(partition)
    if (stored !== undefined) owned.restart(stored)
    this.#settled(owned)
  }

  async seek(to: StartPosition): Promise<void> {
    if (this.#core.isClosed) throw this.#core.closedError()
    const owned = [...this.#partitions.values()]
    const partitions = owned.map(({ partition }) => partition)
    const offsets = await startOffsets(this.#cluster, this.topicName, { from: to, partitions })
    for (const partition of owned) {
      const offset = offsets.get(partition.partition)
      if (offset === undefined || this.#partitions.get(partition.partition) !== partition) continue
      partition.restartAt(offset)
      this.#settled(partition)
    }
    await this.#commits.flush()
  }

  async end(): Promise<readonly Position[]> {
    const ends = await listOffsets(this.#cluster, { topic: this.topicName, at: 'latest' })
    return [...ends].map(([partition, sequence]) => ({ partition, sequence }))
  }

  lag(): Promise<readonly Lag[]> {
    const places = [...this.#partitions.values()].map((partition) => ({
      topic: this.topicName,
      partition: partition.partition,
      committed: partition.isCaughtUp ? partition.position : partition.progress.committed,
      group: this.group,
    }))
    return Promise.all(places.map((place) => lagOf(this.#cluster, place)))
  }

  drain(): Promise<void> {
    this.#left ??= this.#leave('released')
    return this.#left
  }

  close(): Promise<void> {
    this.#left ??= this.#leave('abandoned')
    return this.#left
  }

  async #leave(how: 'abandoned' | 'released'): Promise<void> {
    this.#core.close()
    for (const partition of [...this.#partitions.values()]) this.#drop(partition, how)
    // What cannot be committed now will be given again.
    await this.#commits.flush().catch(() => {})
    this.#commits.close()
    await this.#membership.leave()
    this.#onClosed()
    this.#onChange()
  }

  /** As if the process had died: nothing is committed, and nobody is told. */
  vanish(): void {
    this.#core.close()
    this.#commits.close()
    this.#membership.vanish()
  }
}
