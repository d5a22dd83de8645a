import type { Clock } from '../../core/index.ts'

/** Below this much, sending early beats sleeping: timers are no finer. */
const EARLY_MS = 5

/** Tells how long to wait before a row may go, so that recorded seconds pass `speed` times as fast as real ones. */
export class Pacer {
  readonly #clock: Clock
  readonly #speed: number
  #startedAtMs = 0
  #firstS: number | undefined

  /** `Infinity` never waits. */
  constructor(clock: Clock, speed: number) {
    this.#clock = clock
    this.#speed = speed
  }

  /** Milliseconds to wait before a row of this recorded time; 0 for one that is due or late. The first row is due at once. */
  waitMs(timeS: number): number {
    if (this.#speed === Number.POSITIVE_INFINITY) return 0
    if (this.#firstS === undefined) {
      this.#firstS = timeS
      this.#startedAtMs = this.#clock.monotonicMs()
    }
    const dueMs = this.#startedAtMs + ((timeS - this.#firstS) * 1_000) / this.#speed
    const waitMs = dueMs - this.#clock.monotonicMs()
    return waitMs < EARLY_MS ? 0 : waitMs
  }
}
