import type { NodeTime } from '../channel/index.ts'
import type { Clock } from '../core/index.ts'

/** What two quartz clocks may differ by, generously: 500 ppm. */
const DRIFT = 0.000_5

/** One question to the node and its answer: its clock, and our monotonic clock at both ends. */
interface Exchange {
  readonly nodeMs: number
  readonly sentAtMs: number
  readonly receivedAtMs: number
}

/** Node time as an agent can know it: from exchanges with the node and its own monotonic clock, never its wall clock. */
export class NodeTimeEstimate implements NodeTime {
  readonly #clock: Clock
  #last: Exchange | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** The node showed `nodeMs` at some moment between `sentAtMs` on the monotonic clock and now. */
  exchanged(nodeMs: number, sentAtMs: number): void {
    this.#last = { nodeMs, sentAtMs, receivedAtMs: this.#clock.monotonicMs() }
  }

  latestMs(): number | undefined {
    if (this.#last === undefined) return undefined
    const elapsedMs = this.#clock.monotonicMs() - this.#last.sentAtMs
    return Math.ceil(this.#last.nodeMs + elapsedMs * (1 + DRIFT))
  }

  earliestMs(): number | undefined {
    if (this.#last === undefined) return undefined
    const elapsedMs = this.#clock.monotonicMs() - this.#last.receivedAtMs
    return Math.floor(this.#last.nodeMs + elapsedMs * (1 - DRIFT))
  }
}
