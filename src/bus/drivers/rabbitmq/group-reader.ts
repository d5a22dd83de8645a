import { type Clock, type Random, SkeinError } from '../../../core/index.ts'
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
import { type HeldMessage, keepUnburied, resolveRetryPolicy, retryDelayMs } from '../../kit/index.ts'
import { AmqpDelivery } from './amqp-delivery.ts'
import type { DeadLetters } from './dead-letters.ts'
import { feedStart } from './feed-start.ts'
import type { GroupPartition } from './group-partition.ts'
import { GroupShares, type GroupSharesParts } from './group-shares.ts'
import { ReadLoop } from './read-loop.ts'
import type { ShareSource } from './share-source.ts'
import type { OpenTopic } from './topics.ts'

type How = 'retry' | 'release' | 'dead'

export interface GroupReaderParts {
  readonly topic: OpenTopic
  readonly options: GroupReaderOptions
  readonly clock: Clock
  readonly random: Random
  readonly source: ShareSource
  readonly deadLetters: DeadLetters
  /** What the shares need beside this reader. */
  readonly shares: Omit<
    GroupSharesParts,
    'topic' | 'options' | 'source' | 'policy' | 'bury' | 'onChange' | 'onData' | 'onFailed' | 'tell'
  >
  readonly onClosed: () => void
}

/** Reads its share of a log's partitions for a group, and settles message by message where it must. */
export class GroupReader implements Reader {
  readonly dropped = 0
  readonly #parts: GroupReaderParts
  readonly #loop: ReadLoop<GroupPartition>
  readonly #shares: GroupShares
  readonly #policy
  #listener: ((change: Assignment) => Promise<void> | void) | undefined

  constructor(parts: GroupReaderParts) {
    const { topic, options, clock } = parts
    this.#parts = parts
    this.#policy = resolveRetryPolicy(options.retry)
    this.#loop = new ReadLoop(topic.settings.name, clock)
    this.#shares = new GroupShares({
      ...parts.shares,
      topic,
      options,
      source: parts.source,
      policy: this.#policy,
      bury: (partition, message, error) => {
        this.#bury(partition, message, error).catch((failure) => {
          // Whoever reads is told once; who settled it has been told.
          if (message.burials === 1) partition.news = failure
        })
      },
      onChange: () => {
        this.#loop.sources = this.#shares.owned
      },
      onData: () => this.#loop.wake(),
      onFailed: (error) => this.#loop.fail(error),
      tell: async (change) => this.#listener?.(change),
    })
  }

  get #name(): string {
    return this.#parts.topic.settings.name
  }

  onAssignment(listener: (change: Assignment) => Promise<void> | void): void {
    this.#listener = listener
  }

  read(limits: ReadLimits = {}): Promise<Batch | null> {
    return this.#loop.read(limits)
  }

  async acknowledge(through: Position, generation?: number): Promise<void> {
    if (this.#loop.isClosed) throw this.#loop.closedError()
    const partition = this.#requireOwned(through.partition, generation)
    partition.acknowledge(through.sequence)
    this.#loop.wake()
    await this.#shares.flush(partition)
  }

  #requireOwned(partition: number, generation: number | undefined): GroupPartition {
    const owned = this.#loop.sources.find((source) => source.partition === partition)
    if (owned !== undefined && (generation === undefined || generation === owned.generation)) return owned
    const { group } = this.#parts.options
    throw new SkeinError(
      'revoked',
      `Cannot settle messages of partition ${partition} of "${this.#name}": group "${group}" gave it to another reader, ` +
        'or gave it anew; they will be delivered again',
      { details: { topic: this.#name, group, partition } },
    )
  }

  async settle(deliveries: readonly Delivery[], how: How, options: SettleOptions = {}): Promise<void> {
    if (this.#loop.isClosed) throw this.#loop.closedError()
    const touched = new Set<GroupPartition>()
    const buried: Promise<void>[] = []
    for (const delivery of deliveries as readonly AmqpDelivery[]) {
      const partition = this.#requireOwned(delivery.place.partition, delivery.place.generation)
      touched.add(partition)
      const dead = this.#putBack(partition, delivery, { how, delayMs: options.delayMs })
      if (dead !== undefined) {
        const burying = this.#bury(partition, dead, options.error ?? 'no reason was given')
        // One behind it may be revoked, and then nobody waits for this one.
        burying.catch(() => {})
        buried.push(burying)
      }
      partition.settled()
    }
    this.#loop.wake()
    await Promise.all(buried)
    await Promise.all([...touched].map((partition) => this.#shares.flush(partition)))
  }

  /** Comes back when the message is dead now. */
  #putBack(
    partition: GroupPartition,
    delivery: AmqpDelivery,
    verdict: { readonly how: How; readonly delayMs: number | undefined },
  ): HeldMessage | undefined {
    const { clock, random } = this.#parts
    const nowMs = clock.monotonicMs()
    const held = partition.putBack(delivery, { counts: verdict.how !== 'release', dueMs: nowMs })
    if (held === undefined) return undefined
    if (verdict.how === 'dead' || (verdict.how === 'retry' && held.attempts >= this.#policy.attemptsMax)) {
      held.state = 'dying'
      return held
    }
    const delayMs = verdict.delayMs ?? (verdict.how === 'retry' ? retryDelayMs(this.#policy, held.attempts, random) : 0)
    held.dueMs = nowMs + delayMs
    return undefined
  }

  /** Stores the dead letter; only then may the group pass the message. */
  async #bury(partition: GroupPartition, held: HeldMessage, error: string): Promise<void> {
    if (this.#policy.onDead === 'block') {
      partition.isBlocked = true
      return
    }
    const { deadLetters, options, clock, topic } = this.#parts
    const message = partition.keptMessage(held.offset)
    if (message === undefined) return
    const { offset, attempts } = held
    const place = {
      topic: this.#name,
      partition: partition.partition,
      sequence: offset,
      attempt: attempts,
      generation: 0,
    }
    const { progress } = partition
    try {
      await deadLetters.bury(topic, new AmqpDelivery(message, place), { group: options.group, attempts, error })
    } catch (cause) {
      throw keepUnburied(progress.held, {
        ...{ message: held, error, cause, topic: this.#name, partition: partition.partition },
        nowMs: clock.monotonicMs(),
        random: this.#parts.random,
      })
    } finally {
      this.#loop.wake()
    }
    partition.finish(offset)
    this.#loop.wake()
    await this.#shares.flush(partition)
  }

  async seek(to: StartPosition): Promise<void> {
    if (this.#loop.isClosed) throw this.#loop.closedError()
    for (const partition of this.#loop.sources) {
      const offset = await this.#parts.source.offsetOf(feedStart(to, partition.partition), partition.partition)
      if (offset === undefined || !this.#loop.sources.includes(partition)) continue
      partition.moveTo(offset)
      this.#loop.wake()
      await this.#shares.flush(partition)
    }
  }

  end(): Promise<readonly Position[]> {
    return this.#parts.source.ends()
  }

  lag(): Promise<readonly Lag[]> {
    const { source } = this.#parts
    return Promise.all(this.#loop.sources.map(({ partition, committed }) => source.lag(partition, committed)))
  }

  drain(): Promise<void> {
    return this.#leave('released')
  }

  close(): Promise<void> {
    return this.#leave('abandoned')
  }

  async #leave(how: 'abandoned' | 'released'): Promise<void> {
    if (this.#loop.close()) {
      this.#loop.sources = []
      await this.#shares.leave(how).finally(this.#parts.onClosed)
    } else await this.#shares.left
  }
}
