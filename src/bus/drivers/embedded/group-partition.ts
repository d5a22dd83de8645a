import type { RecordCursor } from '../../../log/index.ts'
import {
  type HeldMessage,
  PartitionProgress,
  type ResolvedRetryPolicy,
  resolveRetryPolicy,
  type StoredProgress,
  type SubjectFilter,
} from '../../kit/index.ts'
import type { Collector } from './collector.ts'
import { Feed, type Gate } from './feed.ts'
import type { Partition } from './partition.ts'

/** Given in vain so often, a message is given alone: if it kills its reader again, only it is counted. */
const SUSPECT_ATTEMPTS = 2

/** One partition as a group sees it: how far it is, and who reads it now. */
export class GroupPartition<Owner> implements Gate {
  readonly partition: Partition
  progress: PartitionProgress
  owner: Owner | undefined
  feed: Feed | undefined
  generation = 0
  /** Being taken from its owner: nothing more is given. */
  isStopping = false
  /** What was given is being stored before anybody sees it: nothing is given meanwhile. */
  isStoring = false
  /** A dead message stops it (`onDead: 'block'`). */
  isBlocked = false
  policy: ResolvedRetryPolicy = resolveRetryPolicy()
  /** Found dead while fetching: to be buried by whoever fetched. */
  dying: HeldMessage[] = []
  /** A suspect is in hand, or waits for the hand to be empty. */
  #isStalled = false
  #idle: Array<() => void> = []

  constructor(partition: Partition, stored: StoredProgress) {
    this.partition = partition
    this.progress = new PartitionProgress(stored, this.policy)
  }

  /** Begins an assignment. */
  assign(
    owner: Owner,
    options: {
      readonly generation: number
      readonly policy: ResolvedRetryPolicy
      readonly filter: SubjectFilter | undefined
      readonly group: string
    },
  ): Feed {
    this.owner = owner
    this.generation = options.generation
    this.policy = options.policy
    this.#restart('released')
    this.isStopping = false
    this.isBlocked = false
    this.feed = new Feed(this.partition, this, options)
    return this.feed
  }

  /** Ends an assignment: what is in hand was given in vain, or is released untried. */
  unassign(how: 'abandoned' | 'released'): void {
    this.#skipToEnd()
    this.owner = undefined
    this.feed = undefined
    this.#restart(how)
    this.#wakeIdle()
  }

  /** At the tail, everything up to the end is known not to concern the group. */
  #skipToEnd(): void {
    if (this.isCaughtUp) this.progress.position = this.partition.log.endOffset
  }

  get isCaughtUp(): boolean {
    return this.feed?.isAtTail === true && !this.progress.hasWorkInHand && this.progress.held.size === 0
  }

  /** What was settled up to here, and what is certainly not for this group, lies below it. */
  get committed(): number {
    return this.isCaughtUp ? this.partition.log.endOffset : this.progress.committed
  }

  #restart(how: 'abandoned' | 'released'): void {
    this.progress = new PartitionProgress(this.progress.save(how), this.policy)
    this.#isStalled = false
  }

  moveTo(offset: number): void {
    this.progress = new PartitionProgress({ settled: offset, delivered: offset, held: [], attempts: [] }, this.policy)
    this.#isStalled = false
    this.isBlocked = false
    this.feed?.moveTo(offset)
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
    return !this.isStopping && !this.isStoring && !this.isBlocked && !this.#isStalled && !this.progress.isFull
  }

  hasDue(nowMs: number): boolean {
    const dueMs = this.nextDueMs()
    return dueMs !== undefined && dueMs <= nowMs
  }

  nextDueMs(): number | undefined {
    return this.isStopping || this.isStoring || this.isBlocked ? undefined : this.progress.nextDueMs()
  }

  decide(cursor: RecordCursor, count: number): 'skip' | 'stop' | number {
    const { progress } = this
    const { offset } = cursor
    // What waits here already was looked at before, in a batch that then came to nobody.
    if (progress.isDone(offset) || progress.held.has(offset)) return 'skip'
    if (this.#isStalled) return 'stop'
    const orderKey = cursor.key ?? cursor.subject
    if (progress.held.holdsKey(orderKey)) {
      if (progress.isFull) return 'stop'
      progress.park({ offset, orderKey })
      return 'skip'
    }
    const attempts = progress.attemptsOf(offset)
    if (attempts >= this.policy.attemptsMax) {
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

  noteGiven(collector: Collector): void {
    const { first, last, count } = collector
    const isDense = count === last - first + 1
    this.progress.giveFresh({ from: first, to: last, offsets: isDense ? undefined : collector.offsets() })
  }

  /** What was given last reached nobody: it is fetched again. */
  takeBack(): void {
    this.progress.takeBack()
    this.#isStalled = false
    this.feed?.moveTo(this.progress.position)
    this.settled()
  }

  /** Retention has taken what lies before there: whatever of it waited is done with, and nobody can have it. */
  finishBefore(startOffset: number): void {
    for (const message of [...this.progress.held.all()]) {
      if (message.offset < startOffset && message.state !== 'inHand') this.progress.finish(message.offset)
    }
    this.settled()
  }

  /** After every settlement. */
  settled(): void {
    if (this.progress.hasWorkInHand) return
    this.#isStalled = false
    this.#wakeIdle()
  }

  /** Resolves when nothing is in hand. */
  whenIdle(): Promise<void> {
    if (!this.progress.hasWorkInHand) return Promise.resolve()
    return new Promise((resolve) => this.#idle.push(resolve))
  }

  #wakeIdle(): void {
    const idle = this.#idle
    this.#idle = []
    for (const wake of idle) wake()
  }
}
