import { SkeinError } from '../../src/core/index.ts'

/** A sequential object: what it may answer when calls come one after the other. */
export interface SequentialModel<State, Call> {
  readonly initial: State
  /** The state after the call, or undefined when an object in this state cannot have answered so. */
  apply(state: State, call: Call): State | undefined
  /** The same text for equal states, and only for them. */
  describe(state: State): string
}

/** A call in time. It takes effect at one instant from `calledAt` to `returnedAt`, both included. */
export interface Interval<Call> {
  readonly call: Call
  readonly calledAt: number
  /** Infinity: it may take effect at any time after its call, or never. */
  readonly returnedAt: number
  /** Of calls that may never take effect: those with the same text do the same, and it is enough to try the first. */
  readonly alike?: string
}

export interface FoundOrder {
  readonly isLinearizable: boolean
  /** How many calls the best attempt could put in order. */
  readonly placed: number
  /** Where the best attempt ended: the index of the call that had to take effect, and could not. -1 when all could. */
  readonly stuckAt: number
}

/** Calls and returns of what must take effect, in the order of time; one put in order is lifted out of the chain. */
interface Event {
  readonly index: number
  readonly isCall: boolean
  previous: Event
  next: Event | null
  /** A call's return. */
  returned: Event | null
}

interface Placed<State> {
  /** Of a call that must take effect; null for one that need not. */
  readonly event: Event | null
  /** Its place among the calls that need not take effect; -1 for one that must. */
  readonly optional: number
  readonly before: State
}

const STEPS_MAX = 200_000_000

/**
 * Looks for an order of the calls that respects time and the model: Wing and Gong's search (1993) with Lowe's memory of
 * what was tried (2017). A position in the search is known by which calls are in order and by the state they lead to.
 * Fast where few calls overlap; exponential in the number that do, in the worst case: then it throws `overloaded`.
 */
export function findOrder<State, Call>(
  model: SequentialModel<State, Call>,
  intervals: readonly Interval<Call>[],
): FoundOrder {
  const sorted = intervals
    .map((interval, index) => ({ ...interval, index }))
    .sort((a, b) => a.calledAt - b.calledAt || a.index - b.index)
  const search = new Search(model, sorted)
  const isLinearizable = search.run()
  const { placedMax, stuckAt } = search
  return { isLinearizable, placed: placedMax, stuckAt: isLinearizable ? -1 : (sorted[stuckAt]?.index ?? -1) }
}

class Search<State, Call> {
  placedMax = 0
  stuckAt = -1
  readonly #model: SequentialModel<State, Call>
  readonly #intervals: readonly Interval<Call>[]
  readonly #head: Event
  /** Indexes of calls that need not take effect, by the time of their call. */
  readonly #optional: readonly number[]
  /** Per optional call the one before it that does the same, or -1. */
  readonly #alikeBefore: readonly number[]
  readonly #tried = new Tried()
  readonly #placed: Placed<State>[] = []
  readonly #progress: Progress
  #state: State
  #steps = 0

  constructor(model: SequentialModel<State, Call>, intervals: readonly Interval<Call>[]) {
    this.#model = model
    this.#intervals = intervals
    this.#state = model.initial
    this.#head = linkEvents(intervals)
    const isRequired = intervals.map(({ returnedAt }) => returnedAt !== Number.POSITIVE_INFINITY)
    this.#optional = isRequired.flatMap((required, index) => (required ? [] : [index]))
    this.#alikeBefore = findAlike(this.#optional, intervals)
    this.#progress = new Progress(isRequired)
  }

  run(): boolean {
    let last: Placed<State> | undefined
    while (this.#progress.missing > 0) {
      this.#count()
      if (this.#placeNext(last)) {
        last = undefined
        continue
      }
      last = this.#takeBack()
      if (last === undefined) return false
    }
    return true
  }

  /** Puts one more call in order: the first that fits after the one taken back, those that must take effect first. */
  #placeNext(takenBack: Placed<State> | undefined): boolean {
    let event = takenBack === undefined ? this.#head.next : (takenBack.event?.next ?? null)
    if (takenBack === undefined || takenBack.event !== null) {
      for (; event?.isCall; event = event.next) if (this.#tryPlace(event.index, { event, optional: -1 })) return true
    }
    const blocking = this.#firstReturn()
    const endsAt = this.#intervals[blocking.index]!.returnedAt
    const first = (takenBack?.optional ?? -1) + 1
    for (let at = first; at < this.#optional.length && this.#optionalCalledAt(at) <= endsAt; at += 1) {
      if (this.#isWorthTrying(at) && this.#tryPlace(this.#optional[at]!, { event: null, optional: at })) return true
    }
    if (this.#placed.length >= this.placedMax) this.stuckAt = blocking.index
    return false
  }

  #optionalCalledAt(at: number): number {
    return this.#intervals[this.#optional[at]!]!.calledAt
  }

  #isWorthTrying(at: number): boolean {
    if (this.#progress.has(this.#optional[at]!)) return false
    const before = this.#alikeBefore[at]!
    return before === -1 || this.#progress.has(before)
  }

  #firstReturn(): Event {
    let event = this.#head.next
    while (event?.isCall) event = event.next
    if (event === null) throw new Error('A call that returned has no return event')
    return event
  }

  #takeBack(): Placed<State> | undefined {
    const last = this.#placed.pop()
    if (last === undefined) return undefined
    if (last.event !== null) unlift(last.event)
    this.#progress.remove(last.event?.index ?? this.#optional[last.optional]!)
    this.#state = last.before
    return last
  }

  #count(): void {
    this.#steps += 1
    if (this.#steps <= STEPS_MAX) return
    throw new SkeinError(
      'overloaded',
      `Cannot check this history: ${STEPS_MAX} steps do not decide it, too many of its calls overlap. Use more keys or fewer clients`,
    )
  }

  #tryPlace(index: number, place: Omit<Placed<State>, 'before'>): boolean {
    const { call } = this.#intervals[index]!
    const next = this.#model.apply(this.#state, call)
    if (next === undefined || (place.event === null && this.#isSame(next, this.#state))) return false
    if (this.#makesLastUseless(call, next)) return false
    this.#progress.add(index)
    const position = `${this.#progress.describe()}|${this.#model.describe(next)}`
    if (!this.#tried.add(position, this.#progress.optional())) {
      this.#progress.remove(index)
      return false
    }
    this.#placed.push({ ...place, before: this.#state })
    this.#state = next
    this.placedMax = Math.max(this.placedMax, this.#placed.length)
    if (place.event !== null) lift(place.event)
    return true
  }

  /** Whether the last call need not take effect, and the next one leads to the same state without it. */
  #makesLastUseless(call: Call, next: State): boolean {
    const last = this.#placed.at(-1)
    if (last === undefined || last.event !== null) return false
    const without = this.#model.apply(last.before, call)
    return without !== undefined && this.#isSame(without, next)
  }

  #isSame(one: State, other: State): boolean {
    return this.#model.describe(one) === this.#model.describe(other)
  }
}

function findAlike<Call>(optional: readonly number[], intervals: readonly Interval<Call>[]): number[] {
  const lastByText = new Map<string, number>()
  return optional.map((index) => {
    const { alike } = intervals[index]!
    if (alike === undefined) return -1
    const before = lastByText.get(alike) ?? -1
    lastByText.set(alike, index)
    return before
  })
}

const NONE: readonly number[] = []

/**
 * Positions that were tried. Of two with the same state and the same required calls, the one that used fewer of the
 * others can do all that the other can: where it failed, the other need not be tried.
 */
class Tried {
  readonly #optionalByPosition = new Map<string, Array<readonly number[]>>()

  /** False when this was tried already, with no more of the optional calls. */
  add(position: string, optional: readonly number[]): boolean {
    const known = this.#optionalByPosition.get(position)
    if (known === undefined) {
      this.#optionalByPosition.set(position, [optional])
      return true
    }
    if (known.some((fewer) => fewer.every((index) => optional.includes(index)))) return false
    known.push(optional)
    return true
  }
}

/**
 * Which calls are in order. Written down compactly: all calls that must take effect up to the first one missing, the few
 * beyond it, and apart from them those that need not take effect but did.
 */
class Progress {
  /** How many calls that must take effect are not in order yet. */
  missing: number
  readonly #isRequired: readonly boolean[]
  readonly #isPlaced: Uint8Array
  /** Placed and required, beyond the first required one that is missing. */
  readonly #beyond = new Set<number>()
  /** Placed though not required. */
  readonly #optional = new Set<number>()
  #firstMissing = 0

  constructor(isRequired: readonly boolean[]) {
    this.#isRequired = isRequired
    this.#isPlaced = new Uint8Array(isRequired.length)
    this.missing = isRequired.filter(Boolean).length
    this.#advance()
  }

  add(index: number): void {
    this.#isPlaced[index] = 1
    if (!this.#isRequired[index]) {
      this.#optional.add(index)
      return
    }
    this.#beyond.add(index)
    this.missing -= 1
    if (index === this.#firstMissing) this.#advance()
  }

  remove(index: number): void {
    this.#isPlaced[index] = 0
    if (!this.#isRequired[index]) {
      this.#optional.delete(index)
      return
    }
    this.#beyond.delete(index)
    this.missing += 1
    if (index >= this.#firstMissing) return
    // What was behind the first missing one is in front of it again.
    for (let at = index + 1; at < this.#firstMissing; at += 1) if (this.#isRequired[at]) this.#beyond.add(at)
    this.#firstMissing = index
  }

  has(index: number): boolean {
    return this.#isPlaced[index] === 1
  }

  optional(): readonly number[] {
    return this.#optional.size === 0 ? NONE : [...this.#optional]
  }

  describe(): string {
    if (this.#beyond.size === 0) return String(this.#firstMissing)
    const beyond = [...this.#beyond].sort((a, b) => a - b)
    return `${this.#firstMissing}+${beyond.join(',')}`
  }

  #advance(): void {
    const { length } = this.#isRequired
    while (this.#firstMissing < length && this.#passes(this.#firstMissing)) {
      if (this.#isRequired[this.#firstMissing]) this.#beyond.delete(this.#firstMissing)
      this.#firstMissing += 1
    }
  }

  #passes(index: number): boolean {
    return !this.#isRequired[index] || this.#isPlaced[index] === 1
  }
}

function linkEvents<Call>(intervals: readonly Interval<Call>[]): Event {
  const timed: Array<{ readonly at: number; readonly event: Event }> = []
  const head = newEvent(-1, false)
  intervals.forEach(({ calledAt, returnedAt }, index) => {
    if (returnedAt === Number.POSITIVE_INFINITY) return
    const call = newEvent(index, true)
    timed.push({ at: calledAt, event: call })
    call.returned = newEvent(index, false)
    timed.push({ at: returnedAt, event: call.returned })
  })
  // At one instant calls come first: what touches overlaps.
  timed.sort((a, b) => a.at - b.at || Number(b.event.isCall) - Number(a.event.isCall))
  let last = head
  for (const { event } of timed) {
    last.next = event
    event.previous = last
    last = event
  }
  return head
}

function newEvent(index: number, isCall: boolean): Event {
  const event: Event = { index, isCall, previous: undefined as never, next: null, returned: null }
  event.previous = event
  return event
}

function lift(call: Event): void {
  for (const event of [call, call.returned]) {
    if (event === null) continue
    event.previous.next = event.next
    if (event.next !== null) event.next.previous = event.previous
  }
}

function unlift(call: Event): void {
  for (const event of [call.returned, call]) {
    if (event === null) continue
    event.previous.next = event
    if (event.next !== null) event.next.previous = event
  }
}
