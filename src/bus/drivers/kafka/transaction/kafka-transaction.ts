import { ClosedError, partitionOfKey, SkeinError } from '../../../../core/index.ts'
import type { Message, Position, Reader, Transaction } from '../../../index.ts'
import { MessageChecker } from '../../../kit/index.ts'
import type { Cluster } from '../cluster.ts'
import { fetchProgress } from '../group/group-offsets.ts'
import { GroupReader, type PartitionInTransaction } from '../group/group-reader.ts'
import { KAFKA, kafkaCode } from '../kafka-error.ts'
import type { KafkaTopic } from '../topic/kafka-topic.ts'
import { WriteTicket } from '../write/write-ticket.ts'
import type { TransactionalProducer } from './transactional-producer.ts'

export interface KafkaTransactionParts {
  readonly cluster: Cluster
  readonly producer: TransactionalProducer
  readonly topic: (name: string) => KafkaTopic
  /** `lost`: what the coordinator knows is not known here; the id has to be begun anew before the next one. */
  readonly onEnd: (how: 'clean' | 'lost' | 'fenced') => void
  /** After `lost`: begins the id anew, which decides what was left undecided, unless somebody has done so since. */
  readonly beginAnew: () => Promise<void>
}

const STALE_TRIES_MAX = 20

/** One transaction. Its requests follow one another: Kafka's client library, and ours with it, mixes up what is concurrent. */
export class KafkaTransaction implements Transaction {
  readonly #parts: KafkaTransactionParts
  readonly #added = new Set<string>()
  readonly #acknowledged = new Map<GroupReader, Map<number, PartitionInTransaction>>()
  readonly #checkers = new Map<string, MessageChecker>()
  #turn: Promise<unknown> = Promise.resolve()
  #failure: unknown
  #hasWritten = false
  #ended: Promise<void> | undefined

  constructor(parts: KafkaTransactionParts) {
    this.#parts = parts
  }

  #inTurn<T>(step: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(step, step)
    this.#turn = done.catch(() => {})
    return done
  }

  write(topic: string, batch: readonly Message[]): Promise<void> {
    if (this.#ended !== undefined) return Promise.reject(new ClosedError('the transaction'))
    return this.#inTurn(async () => {
      this.#checkGood()
      const found = this.#parts.topic(topic)
      this.#check(found, batch)
      try {
        await this.#write(found, batch)
      } catch (error) {
        this.#failure = error
        throw error
      }
    })
  }

  #check(topic: KafkaTopic, batch: readonly Message[]): void {
    let checker = this.#checkers.get(topic.id)
    if (checker === undefined) {
      checker = new MessageChecker(topic.settings)
      this.#checkers.set(topic.id, checker)
    }
    for (const [index, message] of batch.entries()) checker.check(message, index)
  }

  async #write(topic: KafkaTopic, batch: readonly Message[]): Promise<void> {
    if (batch.length === 0) return
    const { cluster, producer } = this.#parts
    const partitionOf = (message: Message) => partitionOfKey(message.key ?? message.subject, topic.partitions)
    const shares = Map.groupBy(batch, partitionOf)
    const fresh = [...shares.keys()].filter((partition) => !this.#added.has(`${partition}/${topic.name}`))
    if (fresh.length > 0) await producer.addPartitions(fresh.map((partition) => ({ topic, partition })))
    for (const partition of fresh) this.#added.add(`${partition}/${topic.name}`)
    this.#hasWritten = true
    const receipt = { durability: topic.capabilities.durability, asserted: false }
    const ticket = new WriteTicket({ topic: topic.name, batch, partitionOf, receipt })
    const lanes = producer.producer.lanes(topic)
    for (const [partition, share] of shares) lanes[partition]!.add(share, ticket, cluster.clock.nowMs())
    await ticket.promise
  }

  /** After a failure the broker may have less than was written: the rest must not be committed. */
  #checkGood(): void {
    if (this.#failure === undefined) return
    throw new SkeinError('write-failed', 'Cannot go on with the transaction: a write in it failed; abort it', {
      cause: this.#failure,
    })
  }

  acknowledge(reader: Reader, through: Position, generation?: number): Promise<void> {
    if (this.#ended !== undefined) return Promise.reject(new ClosedError('the transaction'))
    if (!(reader instanceof GroupReader)) {
      return Promise.reject(
        new SkeinError(
          'bad-argument',
          'Cannot acknowledge in a transaction: the reader is no group reader of this bus',
        ),
      )
    }
    return this.#inTurn(async () => {
      const own = this.#acknowledged.get(reader) ?? new Map<number, PartitionInTransaction>()
      this.#acknowledged.set(reader, own)
      const earlier = own.get(through.partition)
      // What was acknowledged under another assignment would be forgotten in the place of this one.
      if (earlier !== undefined) reader.requireOwned(through.partition, earlier.generation)
      const noted = reader.acknowledgeLater(through, generation)
      own.set(through.partition, earlier === undefined ? noted : { ...noted, before: earlier.before })
    })
  }

  commit(): Promise<void> {
    this.#ended ??= this.#inTurn(() => this.#commit())
    return this.#ended
  }

  async #commit(): Promise<void> {
    let isDeciding = false
    try {
      this.#checkGood()
      for (const [reader, partitions] of this.#acknowledged) await this.#addPlaces(reader, partitions)
      isDeciding = true
      if (this.#hasEffects) await this.#parts.producer.end(true)
    } catch (error) {
      if (isDeciding && !isFenced(error)) return this.#outcomeUnknown(error)
      await this.#giveUp(error)
      throw error
    }
    for (const [reader, partitions] of this.#acknowledged) {
      for (const partition of partitions.values()) reader.endTransaction(partition, undefined)
    }
    this.#parts.onEnd('clean')
  }

  /** An end without anything in it is refused by the coordinator, which has heard of no transaction. */
  get #hasEffects(): boolean {
    return this.#hasWritten || this.#acknowledged.size > 0
  }

  async #addPlaces(reader: GroupReader, partitions: ReadonlyMap<number, PartitionInTransaction>): Promise<void> {
    const { producer, cluster } = this.#parts
    for (let tries = 0; ; tries += 1) {
      for (const { partition, generation } of partitions.values()) reader.requireOwned(partition, generation)
      const progress = new Map([...partitions].map(([partition, { after }]) => [partition, after()]))
      try {
        return await producer.addPlaces(reader.committer, { topic: reader.topicName, progress })
      } catch (error) {
        // The group has moved on to another epoch, in which the partitions may still be this reader's.
        if (kafkaCode(error) !== KAFKA.STALE_MEMBER_EPOCH || tries >= STALE_TRIES_MAX) throw error
        await reader.renewCommitter()
        await cluster.backOff(tries)
      }
    }
  }

  abort(): Promise<void> {
    this.#ended ??= this.#inTurn(() => this.#giveUp(undefined))
    return this.#ended
  }

  /** Nothing of it takes effect; what was acknowledged in it comes again. */
  async #giveUp(cause: unknown): Promise<void> {
    const { producer, onEnd, beginAnew } = this.#parts
    const isLost = isFenced(cause) || isFenced(this.#failure)
    let how: 'clean' | 'lost' | 'fenced' = isLost ? 'fenced' : this.#failure === undefined ? 'clean' : 'lost'
    try {
      if (how !== 'fenced' && this.#hasEffects) await producer.end(false)
    } catch (error) {
      how = isFenced(error) ? 'fenced' : 'lost'
    }
    for (const [reader, partitions] of this.#acknowledged) {
      for (const partition of partitions.values()) reader.endTransaction(partition, partition.before)
    }
    onEnd(how)
    // Without a clean end the next beginning under the id aborts it, or the coordinator does when its time is up.
    if (how === 'lost') await beginAnew().catch(() => {})
  }

  /** While nobody answers, the partitions stay in the transaction: they give nothing that may have been committed. */
  async #outcomeUnknown(cause: unknown): Promise<never> {
    const { id } = this.#parts.producer
    this.#parts.onEnd('lost')
    await this.#learnOutcome().catch(() => void this.#learnOutcomeLater())
    throw new SkeinError(
      'outcome-unknown',
      `Cannot tell whether the transaction of "${id}" was committed: its coordinator did not answer; its readers go on where Kafka says`,
      { cause, details: { id } },
    )
  }

  /** The coordinator has decided, but its word was lost: beginning anew makes it finish, and then the places tell. */
  async #learnOutcome(): Promise<void> {
    const { cluster, beginAnew } = this.#parts
    await beginAnew()
    for (const [reader, partitions] of this.#acknowledged) {
      const of = { groupId: reader.committer.groupId, topic: reader.topicName, partitions: [...partitions.keys()] }
      const stored = await fetchProgress(cluster, of)
      for (const partition of partitions.values()) {
        reader.endTransaction(partition, stored.get(partition.partition) ?? partition.before)
      }
      this.#acknowledged.delete(reader)
    }
  }

  async #learnOutcomeLater(): Promise<void> {
    const { cluster } = this.#parts
    for (let tries = 0; !cluster.isClosed; tries += 1) {
      // A bus that closes wakes it.
      await cluster.backOff(tries).catch(() => {})
      const isLearnt = await this.#learnOutcome().then(
        () => true,
        () => false,
      )
      if (isLearnt) return
    }
  }
}

function isFenced(error: unknown): boolean {
  return error instanceof SkeinError && error.code === 'fenced'
}
