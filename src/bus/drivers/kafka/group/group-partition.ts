import {
  type HeldMessage,
  PartitionProgress,
  type ResolvedRetryPolicy,
  type StoredProgress,
} from '../../../kit/index.ts'
import type { RecordCursor } from '../protocol/record-cursor.ts'
import type { DeliveryCollector } from '../read/delivery-collector.ts'
import type { Feed, Gate } from '../read/feed.ts'
import type { GroupPlace } from './group-places.ts'

/** Given in vain so often, a message is given alone: if it kills its reader again, only it is counted. */
const SUSPECT_ATTEMPTS = 2

/** One partition that a group's reader has: how far it is, under one assignment. */
export class GroupPartition implements Gate {
  readonly partition: number
  readonly generation: number
  progress: PartitionProgress
  feed: Feed | undefined
  /** Being taken away: nothing more is given. */
  isStopping = false
  /** A dead message stops it (`onDead: 'block'`). */
  isBlocked = false
  /** A transaction is about to commit its place, or not: until then nobody else may. */
  isInTransaction = false
  /** Before this offset messages may have been given in an earlier life: counts are stored before they are given again. */
  readonly openedAtOffset: number
  /** Found dead while fetching: to be buried by whoever fetched. */
  dying: HeldMessage[] = []
  readonly #policy: ResolvedRetryPolicy
  /** A suspect is in hand, or waits for the hand to be empty. */
  #isStalled = false
  #idle: Array<() => void> = []

  constructor(place: GroupPlace, parts: { readonly generation: number; readonly policy: ResolvedRetryPolicy }) {
    this.partition = place.partition
    this.openedAtOffset = place.openedAtOffset
    this.generation = parts.generation
    this.#policy = parts.policy
    this.progress = new PartitionProgress(place.stored, parts.policy)
  }

  /** Goes on from what was stored, as if it had just been assigned. */
  restart(stored: StoredProgress): void {
    this.progress = new PartitionProgress(stored, this.#policy)
    this.#isStalled = false
    this.isBlocked = false
    this.feed?.moveTo(this.progress.position)
    this.#wakeIdle()
  }

  moveTo(offset: number): void {
    this.restart({ settled: offset, delivered: offset, held: [], attempts: [] })
  }

  /** What is in hand was given in vain, or is released untried. */
  save(how: 'abandoned' | 'released'): StoredProgress {
    return this.progress.save(how)
  }

  /** Nothing is in hand or held, and what lies up to the end is not for this group. */
  get isCaughtUp(): boolean {
    return this.feed?.isAtTail === true && !this.progress.hasWorkInHand && this.progress.held.size === 0
  }

  get position(): number {
    return this.progress.position
  }

  set position(offset: number) {
    this.progress.position = offset
  }

  get isPlain(): boolean {
    return !this.#isStalled && this.progress.isPlain
  }

  get canFetch(): boolean {
    return !this.isStopping && !this.isBlocked && !this.isInTransaction && !this.#isStalled && !this.progress.isFull
  }

  hasDue(nowMs: number): boolean {
    const dueMs = this.nextDueMs()
    return dueMs !== undefined && dueMs <= nowMs
  }

  nextDueMs(): number | undefined {
    return this.isStopping || this.isBlocked || this.isInTransaction ? undefined : this.progress.nextDueMs()
  }

  decide(cursor: RecordCursor, count: number): 'skip' | 'stop' | number {
    const { progress } = this
    const { offset } = cursor
    if (progress.isDone(offset)) return 'skip'
    if (this.#isStalled) return 'stop'
    const { orderKey } = cursor
    if (progress.held.holdsKey(orderKey)) {
      if (progress.isFull) return 'stop'
      progress.park({ offset, orderKey })
      return 'skip'
    }
    const attempts = progress.attemptsOf(offset)
    if (attempts >= this.#policy.attemptsMax) {
      this.#condemn(progress.park({ offset, orderKey }))
      return 'skip'
    }
    return attempts < SUSPECT_ATTEMPTS ? attempts + 1 : this.#giveAlone(attempts, count)
  }

  #condemn(message: HeldMessage): void {
    message.state = 'dying'
    this.dying.push(message)
  }

  #giveAlone(attempts: number, count: number): 'stop' | number {
    if (count > 0) return 'stop'
    this.#isStalled = true
    return this.progress.hasWorkInHand ? 'stop' : attempts + 1
  }

  noteGiven(collector: DeliveryCollector): void {
    const { first, last, count } = collector
    const isDense = count === last - first + 1
    this.progress.giveFresh({ from: first, to: last, offsets: isDense ? undefined : collector.offsets() })
  }

  /** After every settlement. */
  settled(): void {
    if (this.progress.hasWorkInHand || this.isInTransaction) return
    this.#isStalled = false
    this.#wakeIdle()
  }

  /** Resolves when nothing is in hand, and no transaction waits to commit what was. */
  whenIdle(): Promise<void> {
    if (!this.progress.hasWorkInHand && !this.isInTransaction) return Promise.resolve()
    return new Promise((resolve) => this.#idle.push(resolve))
  }

  #wakeIdle(): void {
    const idle = this.#idle
    this.#idle = []
    for (const wake of idle) wake()
  }
}
