import { type Random, SkeinError } from '../../../core/index.ts'
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
} from '../../index.ts'
import {
  buryAll,
  type HeldMessage,
  keepUnburied,
  type ResolvedRetryPolicy,
  resolveRetryPolicy,
  retryDelayMs,
} from '../../kit/index.ts'
import type { Connection } from './connection.ts'
import type { DeadLetters } from './dead-letters.ts'
import { directGet } from './direct-get.ts'
import { GroupAssignment } from './group-assignment.ts'
import type { GroupPartition } from './group-partition.ts'
import { GroupStore } from './group-store.ts'
import { lagOfPartition } from './lag.ts'
import type { LogTopic } from './log-topic.ts'
import type { NatsDelivery } from './nats-delivery.ts'
import { persist } from './persist.ts'
import { ReadLoop, type ReadSizes, readSizes } from './read-loop.ts'
import { startSequence, streamEnds } from './start-sequence.ts'

const ABANDONED = 'abandoned by its readers too often'

type How = 'retry' | 'release' | 'dead'

export interface GroupReaderParts {
  readonly options: GroupReaderOptions
  readonly connection: Connection
  readonly random: Random
  readonly deadLetters: DeadLetters
  readonly onClosed: () => void
}

/** Reads its share of a topic's partitions for a group, and settles message by message where it must. */
export class GroupReader implements Reader {
  readonly dropped = 0
  readonly #topic: LogTopic
  readonly #group: string
  readonly #policy: ResolvedRetryPolicy
  readonly #parts: GroupReaderParts
  readonly #connection: Connection
  readonly #loop: ReadLoop
  readonly #assignment: GroupAssignment
  #turn = 0

  constructor(topic: LogTopic, parts: GroupReaderParts) {
    const { options, connection } = parts
    this.#topic = topic
    this.#group = options.group
    this.#policy = resolveRetryPolicy(options.retry)
    this.#parts = parts
    this.#connection = connection
    this.#loop = new ReadLoop(`the reader of "${topic.settings.name}"`, connection.clock)
    this.#assignment = new GroupAssignment({
      options,
      policy: this.#policy,
      connection,
      store: new GroupStore(connection, topic),
      signal: this.#loop.signal,
      onNews: () => this.#loop.wake(),
      onFailed: (error) => this.#loop.fail(error),
    })
  }

  onAssignment(listener: (change: Assignment) => Promise<void> | void): void {
    this.#assignment.listener = listener
  }

  read(limits: ReadLimits = {}): Promise<Batch | null> {
    const sizes = readSizes(limits)
    return this.#loop.run(limits, {
      ready: () => this.#assignment.joined,
      take: () => this.#take(sizes),
      nextDueMs: () => this.#nextDueMs(),
    })
  }

  #nextDueMs(): number | undefined {
    let least: number | undefined
    for (const partition of this.#assignment.owned.values()) {
      const dueMs = partition.nextDueMs()
      if (dueMs !== undefined && (least === undefined || dueMs < least)) least = dueMs
    }
    return least === undefined ? undefined : Math.max(0, least - this.#connection.clock.monotonicMs())
  }

  /** Asks the partitions in turn; in each, held messages whose turn has come before fresh ones. */
  async #take(sizes: ReadSizes): Promise<Batch | undefined> {
    const partitions = [...this.#assignment.owned.values()]
    for (let tried = 0; tried < partitions.length; tried += 1) {
      this.#turn = (this.#turn + 1) % partitions.length
      const partition = partitions[this.#turn]!
      const problem = partition.feed.takeProblem() ?? partition.news
      if (problem !== undefined) {
        partition.news = undefined
        throw problem
      }
      const deliveries = await this.#takeFrom(partition, sizes)
      this.#buryFound(partition)
      if (deliveries.length === 0 || partition.isLost) continue
      return this.#batchOf(partition, deliveries)
    }
    return undefined
  }

  async #takeFrom(partition: GroupPartition, sizes: ReadSizes): Promise<readonly NatsDelivery[]> {
    const dueMs = partition.nextDueMs()
    const isDue = dueMs !== undefined && dueMs <= this.#connection.clock.monotonicMs()
    const deliveries = isDue ? await this.#takeHeld(partition, sizes) : partition.takeFresh(sizes)
    const [first] = deliveries
    if (first !== undefined) await partition.saveGiven(first)
    return deliveries
  }

  async #takeHeld(partition: GroupPartition, sizes: ReadSizes): Promise<NatsDelivery[]> {
    const { progress, feed } = partition
    const due = progress.takeDue(this.#connection.clock.monotonicMs(), sizes.countMax)
    const stream = this.#topic.names.stream(partition.partition)
    const found = await Promise.all(
      due.map((held) =>
        persist(this.#connection, this.#loop.signal, () =>
          directGet(this.#connection, { stream, request: { seq: held.offset + 1 } }),
        ),
      ),
    )
    const deliveries: NatsDelivery[] = []
    for (const [index, held] of due.entries()) {
      const stored = found[index]
      const delivery = stored && feed.again(stored)
      // Expired, or gone by retention or compaction.
      if (delivery === undefined) {
        progress.finish(held.offset)
        continue
      }
      delivery.attempt = held.attempts + 1
      delivery.generation = partition.generation
      deliveries.push(delivery)
    }
    return deliveries
  }

  #batchOf(partition: GroupPartition, deliveries: readonly NatsDelivery[]): Batch {
    return {
      topic: this.#topic.settings.name,
      partition: partition.partition,
      generation: partition.generation,
      deliveries,
      last: deliveries.at(-1)!.position,
    }
  }

  async acknowledge(through: Position, generation?: number): Promise<void> {
    if (this.#loop.isClosed) throw this.#loop.closedError()
    const partition = this.#requireOwned(through.partition, generation)
    partition.progress.acknowledge(through.sequence)
    this.#settled(partition)
    await partition.save()
  }

  #requireOwned(partition: number, generation: number | undefined): GroupPartition {
    const owned = this.#assignment.owned.get(partition)
    if (owned !== undefined && !owned.isLost && (generation === undefined || generation === owned.generation))
      return owned
    throw this.#assignment.revokedError(partition)
  }

  #settled(partition: GroupPartition): void {
    partition.settled()
    this.#loop.wake()
  }

  async settle(deliveries: readonly Delivery[], how: How, options: SettleOptions = {}): Promise<void> {
    if (this.#loop.isClosed) throw this.#loop.closedError()
    const touched = new Set<GroupPartition>()
    const dying: Array<readonly [GroupPartition, HeldMessage]> = []
    for (const delivery of deliveries) {
      const { position, key, subject } = delivery
      const { generation } = delivery as NatsDelivery
      const partition = this.#requireOwned(position.partition, generation)
      const message = { offset: position.sequence, orderKey: key ?? subject }
      const dead = this.#putBack(partition, message, { how, delayMs: options.delayMs })
      if (dead !== undefined) dying.push([partition, dead])
      this.#settled(partition)
      touched.add(partition)
    }
    // One after another: dead letters stand in the order in which they were given up.
    const error = options.error ?? 'no reason was given'
    const failed = await buryAll(dying, ([partition, dead]) => this.#bury(partition, dead, error))
    await Promise.all([...touched].map((partition) => partition.save()))
    if (failed !== undefined) throw failed.error
  }

  /** Comes back when the message is dead now. */
  #putBack(
    partition: GroupPartition,
    message: { readonly offset: number; readonly orderKey: string },
    verdict: { readonly how: How; readonly delayMs: number | undefined },
  ): HeldMessage | undefined {
    const nowMs = this.#connection.clock.monotonicMs()
    const { how } = verdict
    const held = partition.progress.putBack(message, { counts: how !== 'release', dueMs: nowMs })
    if (held === undefined) return undefined
    if (how === 'dead' || (how === 'retry' && held.attempts >= this.#policy.attemptsMax)) {
      held.state = 'dying'
      return held
    }
    const ownDelayMs = how === 'retry' ? retryDelayMs(this.#policy, held.attempts, this.#parts.random) : 0
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
    try {
      await this.#buryStored(partition, message, error)
    } catch (cause) {
      throw keepUnburied(progress.held, {
        ...{ message, error, cause, topic: this.#topic.settings.name, partition: partition.partition },
        nowMs: this.#connection.clock.monotonicMs(),
        random: this.#parts.random,
      })
    } finally {
      this.#loop.wake()
    }
    progress.finish(message.offset)
    this.#settled(partition)
    await partition.save()
  }

  async #buryStored(partition: GroupPartition, message: HeldMessage, error: string): Promise<void> {
    const stream = this.#topic.names.stream(partition.partition)
    const stored = await directGet(this.#connection, { stream, request: { seq: message.offset + 1 } })
    const delivery = stored && partition.feed.again(stored)
    if (delivery === undefined) return
    const { attempts } = message
    await this.#parts.deadLetters.bury(this.#topic, delivery, { group: this.#group, attempts, error })
  }

  /** Those given in vain too often before a restart, and those whose letters could not be stored before. */
  #buryFound(partition: GroupPartition): void {
    const again = partition.progress.held.takeUnburied(this.#connection.clock.monotonicMs())
    const found = [...again, ...partition.dying]
    partition.dying = []
    for (const message of found) {
      this.#bury(partition, message, message.error ?? ABANDONED).catch((error) => {
        // Whoever reads is told once; who settled it has been told.
        if (message.burials === 1) partition.news = error
      })
    }
  }

  async seek(to: StartPosition): Promise<void> {
    if (this.#loop.isClosed) throw this.#loop.closedError()
    await this.#assignment.joined
    for (const partition of [...this.#assignment.owned.values()]) {
      const at = { topic: this.#topic, partition: partition.partition, start: to }
      const sequence = await startSequence(this.#connection, at)
      if (sequence === undefined || partition.isLost) continue
      await partition.moveTo(sequence - 1)
      this.#settled(partition)
      await partition.save()
    }
  }

  async end(): Promise<readonly Position[]> {
    const { names, settings } = this.#topic
    const partitions = Array.from({ length: settings.partitions }, (_, partition) => partition)
    return Promise.all(
      partitions.map(async (partition) => {
        const { end } = await streamEnds(this.#connection, names.stream(partition))
        return { partition, sequence: end - 1 }
      }),
    )
  }

  async lag(): Promise<readonly Lag[]> {
    const owned = [...this.#assignment.owned.values()]
    return Promise.all(
      owned.map((partition) =>
        lagOfPartition(this.#connection, {
          topic: this.#topic,
          group: this.#group,
          partition: partition.partition,
          committed: partition.progress.committed,
          isCaughtUp: () => partition.isCaughtUp,
        }),
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
    if (!this.#loop.close()) return
    try {
      await this.#assignment.leave(how)
    } catch (error) {
      if (!(error instanceof SkeinError)) throw error
    } finally {
      this.#parts.onClosed()
    }
  }
}
