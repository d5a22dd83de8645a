import { AttemptRanges } from './attempt-ranges.ts'
import { Hand } from './hand.ts'
import { type HeldMessage, HeldMessages } from './held-messages.ts'

/** What a group keeps of one partition over a restart. Offsets below `settled` that are not in `held` are done. */
export interface StoredProgress {
  readonly settled: number
  /** One past the last offset given and not settled: what lies between counts as abandoned when it is given again. */
  readonly delivered: number
  readonly held: ReadonlyArray<readonly [offset: number, attempts: number]>
  readonly attempts: ReadonlyArray<readonly [from: number, to: number, attempts: number]>
}

export interface SettledOne {
  readonly offset: number
  /** The key, or the subject where there is none. */
  readonly orderKey: string
}

/** More batches than an application has in hand at once. */
const EMPTIED_MAX = 1_000
const NONE: ReadonlySet<number> = new Set()

/**
 * What one group has done of one partition: pure, without clock or I/O. In order it costs a few comparisons per batch;
 * only messages that failed, were released, or wait behind one of those have an entry of their own.
 */
export class PartitionProgress {
  /** The next offset to fetch. */
  position: number
  readonly held = new HeldMessages()
  readonly #parkedMax: number
  readonly #attempts = new AttemptRanges()
  /** Below `#restoredTo` only these are to be given again. */
  readonly #restored: ReadonlySet<number>
  readonly #restoredTo: number
  #fresh: Hand[] = []
  #again: Hand[] = []
  #ordinal = 0
  /** Batches given again of which every message was settled alone, by their last offset: they may yet be acknowledged. */
  #emptied: Map<number, number> | undefined

  constructor(stored: StoredProgress, limits: { readonly parkedMax: number }) {
    this.#parkedMax = limits.parkedMax
    this.#restored = stored.held.length === 0 ? NONE : new Set(stored.held.map(([offset]) => offset))
    this.#restoredTo = stored.settled
    this.position = stored.held.reduce((least, [offset]) => Math.min(least, offset), stored.settled)
    for (const [from, to, attempts] of stored.attempts) this.#attempts.add(from, to, attempts)
    this.#attempts.add(stored.settled, stored.delivered, 1)
    for (const [offset, attempts] of stored.held) this.#attempts.set(offset, attempts)
  }

  /** Every offset below it is done: what may be committed. A held message is never passed. */
  get committed(): number {
    return Math.min(this.#settled, this.held.leastOffset ?? this.position)
  }

  get #settled(): number {
    return this.#fresh.length === 0 ? this.position : this.#fresh[0]!.from
  }

  get hasWorkInHand(): boolean {
    return this.#fresh.length > 0 || this.#again.length > 0
  }

  /** Nothing has to be looked up per message: no held keys, no counts, nothing restored. */
  get isPlain(): boolean {
    return this.held.size === 0 && this.#attempts.isEmpty && this.position >= this.#restoredTo
  }

  /** As many messages are held as may be: nothing fresh is fetched. */
  get isFull(): boolean {
    return this.held.size >= this.#parkedMax
  }

  /** Settled before a restart, beyond the committed offset: not to be given again. */
  isDone(offset: number): boolean {
    return offset < this.#restoredTo && !this.#restored.has(offset)
  }

  /** Deliveries that failed or were abandoned so far. */
  attemptsOf(offset: number): number {
    return this.held.get(offset)?.attempts ?? this.#attempts.attemptsOf(offset)
  }

  /** Somebody else has counted them: before the message is given. */
  noteAttempts(offset: number, attempts: number): void {
    this.#attempts.set(offset, attempts)
  }

  /** Holds back a fetched message instead of giving it, behind an earlier one of its key. */
  park(message: SettledOne): HeldMessage {
    return this.held.add(message, { attempts: this.#attempts.attemptsOf(message.offset), dueMs: 0 })
  }

  /** Notes that freshly fetched messages were given. `offsets` when the batch has gaps. */
  giveFresh(given: {
    readonly from: number
    readonly to: number
    readonly offsets?: readonly number[] | undefined
  }): void {
    this.#ordinal += 1
    this.#fresh.push(new Hand(this.#ordinal, given))
  }

  /** Held messages whose turn has come, by offset; they are in hand from now on. */
  takeDue(nowMs: number, countMax: number): readonly HeldMessage[] {
    const due = this.held.takeDue({ nowMs, countMax, isFree: (message) => this.#isFree(message) })
    if (due.length === 0) return due
    this.#ordinal += 1
    for (const message of due) message.ordinal = this.#ordinal
    const offsets = due.map((message) => message.offset)
    this.#again.push(new Hand(this.#ordinal, { from: offsets[0]!, to: offsets.at(-1)!, offsets }))
    return due
  }

  /** When the next held message may be given again; undefined when that is not a matter of time. */
  nextDueMs(): number | undefined {
    return this.held.size === 0 ? undefined : this.held.nextDueMs((message) => this.#isFree(message))
  }

  /**
   * A held message waits until what was given before it in its own batch is settled: otherwise an acknowledgment of its
   * position could mean its first delivery or its second.
   */
  #isFree({ offset, ordinal }: HeldMessage): boolean {
    if (this.#fresh.some((hand) => hand.from <= offset && offset <= hand.to)) return false
    return !this.#again.some((hand) => hand.ordinal === ordinal)
  }

  /** Of the batch given last. */
  get lastOrdinal(): number {
    return this.#ordinal
  }

  /**
   * Cumulative, in the order of giving: what was given later, or lies beyond, stays in hand. `ordinalMax`: batches
   * behind it have not reached the application yet, so it cannot mean them.
   */
  acknowledge(through: number, ordinalMax: number = this.#ordinal): void {
    const ordinal = this.#ordinalOf(through, ordinalMax)
    this.#emptied?.delete(through)
    if (ordinal === undefined) return
    for (const hand of this.#fresh) {
      if (hand.ordinal <= ordinal && hand.from <= through) hand.settleThrough(through)
    }
    for (const hand of this.#again) if (hand.ordinal <= ordinal) this.#acknowledgeAgain(hand, through)
    this.#dropEmptyHands()
  }

  /** Which batch an acknowledgment speaks of. What was given again has gaps in which later batches may lie. */
  #ordinalOf(through: number, ordinalMax: number): number | undefined {
    const fresh = this.#fresh.findLast((hand) => hand.from <= through && hand.ordinal <= ordinalMax)
    if (fresh !== undefined && through <= fresh.to) return fresh.ordinal
    const again = this.#again.findLast((hand) => hand.ordinal <= ordinalMax && hand.gave(through))
    return again?.ordinal ?? this.#emptied?.get(through) ?? fresh?.ordinal
  }

  #acknowledgeAgain(hand: Hand, through: number): void {
    for (const offset of hand.offsets()) if (offset <= through) this.held.remove(offset)
    hand.settleThrough(through)
  }

  #dropEmptyHands(): void {
    if (this.#fresh.some((hand) => hand.isEmpty)) this.#fresh = this.#fresh.filter((hand) => !hand.isEmpty)
    if (this.#again.some((hand) => hand.isEmpty)) this.#again = this.#again.filter((hand) => !hand.isEmpty)
    this.#attempts.trim(this.committed)
  }

  /**
   * Takes one message out of hand, to come again at `dueMs`; `counts` when it failed. Undefined when it is not in hand,
   * because it was settled before or never given.
   */
  putBack(message: SettledOne, how: { readonly counts: boolean; readonly dueMs: number }): HeldMessage | undefined {
    const { offset } = message
    const hand = this.#again.find((one) => one.contains(offset)) ?? this.#fresh.find((one) => one.contains(offset))
    if (hand === undefined) return undefined
    const held = this.held.get(offset) ?? this.park(message)
    if (how.counts) held.attempts += 1
    this.held.putBack(held, how.dueMs)
    hand.settleOne(offset)
    if (hand.isEmpty) this.#noteEmptied(hand)
    this.#dropEmptyHands()
    return held
  }

  #noteEmptied(hand: Hand): void {
    this.#emptied ??= new Map()
    this.#emptied.set(hand.to, hand.ordinal)
    if (this.#emptied.size > EMPTIED_MAX) this.#emptied.delete(this.#emptied.keys().next().value!)
  }

  /**
   * The batch given last reached nobody: it is given again, and does not count. Nothing may have been given behind it;
   * then its first offset is the next to be fetched, and of those that were given again each waits as before.
   */
  takeBack(): void {
    const fresh = this.#fresh.at(-1)
    if (fresh?.ordinal === this.#ordinal) {
      this.#fresh.pop()
      this.position = fresh.from
    }
    const again = this.#again.at(-1)
    if (again?.ordinal !== this.#ordinal) return
    this.#again.pop()
    for (const offset of again.offsets()) {
      const message = this.held.get(offset)
      if (message?.state === 'inHand') this.held.putBack(message, message.dueMs)
    }
  }

  /** Done, in hand or not: its dead letter is stored, it has expired, or nobody can have it any more. */
  finish(offset: number): void {
    this.held.remove(offset)
    const hand = this.#again.find((one) => one.contains(offset)) ?? this.#fresh.find((one) => one.contains(offset))
    if (hand === undefined) return
    hand.settleOne(offset)
    if (hand.isEmpty) this.#noteEmptied(hand)
    this.#dropEmptyHands()
  }

  /** `abandoned`: what is in hand will have been given in vain, once more. `released`: it was not tried. */
  save(how: 'abandoned' | 'released'): StoredProgress {
    const counted = how === 'abandoned' ? 1 : 0
    const held = new Map<number, number>()
    for (const message of this.held.all()) {
      held.set(message.offset, message.attempts + (message.state === 'inHand' ? counted : 0))
    }
    this.#saveRestored(held, counted)
    const settled = Math.max(this.#settled, this.#restoredTo)
    const last = counted === 0 ? undefined : this.#fresh.at(-1)
    return {
      settled,
      delivered: Math.max(settled, (last?.to ?? -1) + 1),
      held: [...held],
      attempts: this.#attempts.entries(),
    }
  }

  /** While some of what was restored is not settled again, those few are named, and the rest stays done. */
  #saveRestored(held: Map<number, number>, counted: number): void {
    if (this.#settled >= this.#restoredTo) return
    for (const hand of this.#fresh) {
      if (hand.from >= this.#restoredTo) break
      for (const offset of hand.offsets()) {
        if (offset < this.#restoredTo) held.set(offset, this.#attempts.attemptsOf(offset) + counted)
      }
    }
    for (const offset of this.#restored) {
      if (offset >= this.position) held.set(offset, this.#attempts.attemptsOf(offset))
    }
  }
}
