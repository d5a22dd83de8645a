/** What is to happen at a moment of simulated time. */
export interface SimulatedEvent {
  /** Idempotent; one that happened already stays so. */
  cancel(): void
}

interface Waiting {
  readonly atMs: number
  readonly order: number
  happen: (() => void) | undefined
}

/**
 * Simulated time as a queue of events. Events happen in the order of their times, those of one moment in the order they
 * were set: the same seed gives the same run. Nothing waits for the machine: a minute passes in milliseconds.
 */
export class SimulatedEvents {
  #nowMs = 0
  #order = 0
  #happened = 0
  /** A binary heap: the earliest first. */
  readonly #heap: Waiting[] = []

  /** Since the start, with fractions. */
  get nowMs(): number {
    return this.#nowMs
  }

  /** How many events have happened. */
  get happened(): number {
    return this.#happened
  }

  after(delayMs: number, happen: () => void): SimulatedEvent {
    this.#order += 1
    const waiting: Waiting = { atMs: this.#nowMs + Math.max(0, delayMs), order: this.#order, happen }
    this.#heap.push(waiting)
    this.#rise(this.#heap.length - 1)
    return {
      cancel: () => {
        waiting.happen = undefined
      },
    }
  }

  /** Lets the next event happen, if there is one until then; else lets the time pass. False when there was none. */
  step(untilMs: number): boolean {
    for (let first = this.#heap[0]; first !== undefined && first.atMs <= untilMs; first = this.#heap[0]) {
      this.#removeFirst()
      if (first.happen === undefined) continue
      this.#nowMs = first.atMs
      this.#happened += 1
      first.happen()
      return true
    }
    this.#nowMs = Math.max(this.#nowMs, untilMs)
    return false
  }

  #rise(from: number): void {
    const entry = this.#heap[from]!
    let at = from
    while (at > 0) {
      const parent = (at - 1) >>> 1
      if (isBefore(this.#heap[parent]!, entry)) break
      this.#heap[at] = this.#heap[parent]!
      at = parent
    }
    this.#heap[at] = entry
  }

  #removeFirst(): void {
    const last = this.#heap.pop()!
    const { length } = this.#heap
    if (length === 0) return
    let at = 0
    for (let child = 1; child < length; child = 2 * at + 1) {
      if (child + 1 < length && isBefore(this.#heap[child + 1]!, this.#heap[child]!)) child += 1
      if (isBefore(last, this.#heap[child]!)) break
      this.#heap[at] = this.#heap[child]!
      at = child
    }
    this.#heap[at] = last
  }
}

function isBefore(one: Waiting, other: Waiting): boolean {
  return one.atMs < other.atMs || (one.atMs === other.atMs && one.order < other.order)
}
