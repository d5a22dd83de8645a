import type { HeldMessage } from './held-messages.ts'
import { PartitionProgress, type StoredProgress } from './partition-progress.ts'
import type { ResolvedRetryPolicy } from './retry-policy.ts'

/** Given in vain so often, a message is given alone: if it kills its reader again, only it is counted. */
const SUSPECT_ATTEMPTS = 2

/** A message just fetched. */
interface Fetched {
  readonly offset: number
  readonly key: string | undefined
  readonly subject: string
}

/**
 * What decides about the messages of one partition of a group: which are given, which wait behind an earlier one of their
 * key, which are given alone, and which are dead. Pure; each driver's partition stands on it.
 */
export class GroupGate {
  progress: PartitionProgress
  policy: ResolvedRetryPolicy
  /** Being taken away: nothing more is given. */
  isStopping = false
  /** A dead message stops it (`onDead: 'block'`). */
  isBlocked = false
  /** Found dead while fetching: to be buried by whoever fetched. */
  dying: HeldMessage[] = []
  /** A suspect is in hand, or waits for the hand to be empty. */
  #isStalled = false
  #idle: Array<() => void> = []

  constructor(stored: StoredProgress, policy: ResolvedRetryPolicy) {
    this.policy = policy
    this.progress = new PartitionProgress(stored, policy)
  }

  /** For a driver that has more reasons to give nothing now. */
  protected get isHeldUp(): boolean {
    return this.isStopping || this.isBlocked
  }

  /** For a driver that has more reasons to hold on to what was given. */
  protected get isInUse(): boolean {
    return this.progress.hasWorkInHand
  }

  /** Goes on from what was stored, as if it had just been assigned. */
  restart(stored: StoredProgress): void {
    this.progress = new PartitionProgress(stored, this.policy)
    this.#isStalled = false
    this.isBlocked = false
    this.wakeIdle()
  }

  /** Goes on from there, with nothing given, counted or held. */
  restartAt(offset: number): void {
    this.restart({ settled: offset, delivered: offset, held: [], attempts: [] })
  }

  /** The next offset to fetch. */
  get position(): number {
    return this.progress.position
  }

  set position(offset: number) {
    this.progress.position = offset
  }

  /** Nothing has to be decided per message now. */
  get isPlain(): boolean {
    return !this.#isStalled && this.progress.isPlain
  }

  /** Fresh messages may be given now. */
  get canFetch(): boolean {
    return !this.isHeldUp && !this.#isStalled && !this.progress.isFull
  }

  /** Something held back has its turn. */
  hasDue(nowMs: number): boolean {
    const dueMs = this.nextDueMs()
    return dueMs !== undefined && dueMs <= nowMs
  }

  nextDueMs(): number | undefined {
    return this.isHeldUp ? undefined : this.progress.nextDueMs()
  }

  /**
   * For a message just fetched, behind `count` that are given with it. A number: give it, as that attempt. `skip`: done or
   * held back. `stop`: not now, and nothing after it.
   */
  decide(message: Fetched, count: number): 'skip' | 'stop' | number {
    const { progress } = this
    const { offset } = message
    // What waits here already was looked at before, in a batch that then came to nobody.
    if (progress.isDone(offset) || progress.held.has(offset)) return 'skip'
    if (this.#isStalled) return 'stop'
    const orderKey = message.key ?? message.subject
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

  /** Notes what a read was given: `count` messages from the first to the last, whose offsets are asked for where there are gaps. */
  noteGiven(given: {
    readonly first: number
    readonly last: number
    readonly count: number
    offsets(): readonly number[]
  }): void {
    const { first, last, count } = given
    const isDense = count === last - first + 1
    this.progress.giveFresh({ from: first, to: last, offsets: isDense ? undefined : given.offsets() })
  }

  /** After every settlement. */
  settled(): void {
    if (this.isInUse) return
    this.#isStalled = false
    this.wakeIdle()
  }

  /** What was given last reached nobody: nothing waits for it. */
  protected unstall(): void {
    this.#isStalled = false
  }

  /** Resolves when nothing is in hand. */
  whenIdle(): Promise<void> {
    if (!this.isInUse) return Promise.resolve()
    return new Promise((resolve) => this.#idle.push(resolve))
  }

  /** To be called too when the assignment ends: whoever waits then waits for nothing. */
  wakeIdle(): void {
    const idle = this.#idle
    this.#idle = []
    for (const wake of idle) wake()
  }
}
