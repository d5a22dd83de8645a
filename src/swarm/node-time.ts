import type { NodeTime } from '../channel/index.ts'
import type { Clock } from '../core/index.ts'

/** What two quartz clocks may differ by, generously: 500 ppm. */
const DRIFT = 0.000_5

/** Node time as an agent can know it: from exchanges with the node and its own monotonic clock, never its wall clock. */
export class NodeTimeEstimate implements NodeTime {
  readonly #clock: Clock
  #nodeMs: number | undefined
  #sentAtMs = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** The node showed `nodeMs` at some moment after the question was sent at monotonic `sentAtMs`. */
  exchanged(nodeMs: number, sentAtMs: number): void {
    this.#nodeMs = nodeMs
    this.#sentAtMs = sentAtMs
  }

  latestMs(): number | undefined {
    if (this.#nodeMs === undefined) return undefined
    const elapsedMs = this.#clock.monotonicMs() - this.#sentAtMs
    return Math.ceil(this.#nodeMs + elapsedMs * (1 + DRIFT))
  }
}
