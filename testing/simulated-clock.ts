import { type Clock, SkeinError, type Timer } from '../src/core/index.ts'

export interface SimulatedClockOptions {
  /** Wall-clock time at the start, ms since 1970-01-01 UTC. Default: 2026-01-01. */
  readonly startMs?: number
}

interface Waiting {
  readonly dueMs: number
  readonly order: number
  readonly callback: () => void
}

const START_MS = Date.UTC(2026, 0, 1)
const SETTLE_TURNS_MAX = 100_000

/**
 * A clock that stands still until it is told to go on. Timers fire in the order of their due times, those of one
 * instant in the order they were set, so that a run is the same each time. Immediates run by themselves: work that needs
 * no time to pass needs no `advance`.
 */
export class SimulatedClock implements Clock {
  #monotonicMs = 0
  #suspendedMs = 0
  #jumpedMs = 0
  #wallOffsetMs: number
  #order = 0
  #immediates = 0
  /** Sorted by due time, then by order. */
  readonly #waiting: Waiting[] = []

  constructor(options: SimulatedClockOptions = {}) {
    this.#wallOffsetMs = options.startMs ?? START_MS
  }

  nowMs(): number {
    return Math.floor(this.#wallOffsetMs + this.#monotonicMs)
  }

  monotonicMs(): number {
    return this.#monotonicMs
  }

  missedMs(): number {
    return this.#suspendedMs + Math.max(0, this.#jumpedMs)
  }

  /** Timers set and neither fired nor cancelled: zero after a clean close. */
  get timers(): number {
    return this.#waiting.length
  }

  setTimer(callback: () => void, delayMs: number): Timer {
    this.#order += 1
    const entry = { dueMs: this.#monotonicMs + Math.max(0, delayMs), order: this.#order, callback }
    this.#waiting.splice(this.#placeOf(entry.dueMs), 0, entry)
    return {
      cancel: () => {
        const index = this.#waiting.indexOf(entry)
        if (index !== -1) this.#waiting.splice(index, 1)
      },
    }
  }

  setImmediate(callback: () => void): void {
    this.#immediates += 1
    setImmediate(() => {
      this.#immediates -= 1
      callback()
    })
  }

  sleep(delayMs: number, options?: { readonly signal?: AbortSignal }): Promise<void> {
    const signal = options?.signal
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason)
      const onAbort = () => {
        timer.cancel()
        reject(signal?.reason)
      }
      const timer = this.setTimer(() => {
        signal?.removeEventListener('abort', onAbort)
        resolve()
      }, delayMs)
      signal?.addEventListener('abort', onAbort, { once: true })
    })
  }

  /** Lets time pass: every timer due by then fires, and what it sets off is let finish before the next one fires. */
  async advance(durationMs: number): Promise<void> {
    const untilMs = this.#monotonicMs + durationMs
    await this.settle()
    while (this.#waiting.length > 0 && this.#waiting[0]!.dueMs <= untilMs) {
      const next = this.#waiting.shift()!
      this.#monotonicMs = Math.max(this.#monotonicMs, next.dueMs)
      next.callback()
      await this.settle()
    }
    this.#monotonicMs = Math.max(this.#monotonicMs, untilMs)
  }

  /** Lets time pass in steps until the condition holds; rejects with `timeout` when it does not within `limitMs`. */
  async advanceUntil(
    condition: () => boolean | Promise<boolean>,
    options: { readonly stepMs?: number; readonly limitMs?: number } = {},
  ): Promise<void> {
    const { stepMs = 10, limitMs = 60_000 } = options
    const endMs = this.#monotonicMs + limitMs
    await this.settle()
    while (!(await condition())) {
      if (this.#monotonicMs >= endMs) {
        throw new SkeinError('timeout', `Waited ${limitMs} simulated ms: the condition does not hold`)
      }
      await this.advance(stepMs)
    }
  }

  /** Lets as much time pass as the work needs to settle, and no more; rejects with `timeout` after `limitMs`. */
  async until<T>(work: Promise<T>, options: { readonly stepMs?: number; readonly limitMs?: number } = {}): Promise<T> {
    let settled = false
    const watched = work.finally(() => {
      settled = true
    })
    watched.catch(() => {})
    await this.advanceUntil(() => settled, { stepMs: 1, ...options })
    return watched
  }

  /** Sets the wall clock forwards or back; the monotonic clock and the timers do not notice. */
  jumpWall(byMs: number): void {
    this.#wallOffsetMs += byMs
    this.#jumpedMs += byMs
  }

  /** The machine sleeps: the world goes on, the monotonic clock and the timers stand still. */
  suspend(durationMs: number): void {
    this.#wallOffsetMs += durationMs
    this.#suspendedMs += durationMs
  }

  /** Runs immediates, promises and I/O that is ready, without letting time pass. */
  async settle(): Promise<void> {
    for (let turn = 0; turn < SETTLE_TURNS_MAX; turn += 1) {
      await new Promise<void>((resolve) => setImmediate(resolve))
      if (this.#immediates === 0) return
    }
    throw new SkeinError('timeout', `Cannot settle: immediates set each other off without end`)
  }

  #placeOf(dueMs: number): number {
    let low = 0
    let high = this.#waiting.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#waiting[middle]!.dueMs <= dueMs) low = middle + 1
      else high = middle
    }
    return low
  }
}
