import type { Clock } from '../../core/index.ts'

/**
 * How long handlers may keep the event loop to themselves while more is ready. A command needs several turns of it
 * before its handler starts: frame, claim, sync.
 */
const TURN_MS_MAX = 2
/** Looking at the clock costs as much as a short handler: it is looked at once in so many. */
const LOOK_EVERY = 16

/** Gives the event loop back every few milliseconds while there is always more to do. */
export class TurnShare {
  readonly #clock: Clock
  #startMs = Number.NEGATIVE_INFINITY
  #calls = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Call it before each piece of work. */
  get isOver(): boolean {
    this.#calls += 1
    return this.#calls % LOOK_EVERY === 0 && this.#clock.monotonicMs() - this.#startMs >= TURN_MS_MAX
  }

  /** Resolves in a turn of its own, behind the I/O that is ready now. */
  async next(): Promise<void> {
    await new Promise<void>((resolve) => this.#clock.setImmediate(resolve))
    this.#startMs = this.#clock.monotonicMs()
  }
}
