import type { NodeTime } from '../channel/index.ts'
import type { Clock } from '../core/index.ts'

/** What two quartz clocks may differ by, generously: 500 ppm. */
const DRIFT = 0.000_5

/** So much time may go by unseen by the monotonic clock before nothing is known any more. */
const MISSED_MS_MAX = 250

/** A moment of our own clock: what it had counted by then, and what it had missed. */
export interface Moment {
  readonly monotonicMs: number
  readonly missedMs: number
}

export function momentOf(clock: Clock): Moment {
  // In this order a sleep between the two readings counts as missed after the moment.
  const missedMs = clock.missedMs()
  return { monotonicMs: clock.monotonicMs(), missedMs }
}

/** One question to the node and its answer: its clock, and ours at both ends. */
interface Exchange {
  readonly nodeMs: number
  readonly askedAt: Moment
  readonly receivedAtMs: number
}

/**
 * Node time as an agent can know it: from exchanges with the node and its own monotonic clock, never its wall clock.
 * A monotonic clock may stand still while the machine sleeps: once more time has gone by than it has counted, there is no
 * latest that node time can be, until the next exchange.
 */
export class NodeTimeEstimate implements NodeTime {
  readonly #clock: Clock
  #last: Exchange | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** The node showed `nodeMs` at some moment between `askedAt` and now. */
  exchanged(nodeMs: number, askedAt: Moment): void {
    this.#last = { nodeMs, askedAt, receivedAtMs: this.#clock.monotonicMs() }
  }

  latestMs(): number | undefined {
    if (this.#last === undefined) return undefined
    const { nodeMs, askedAt } = this.#last
    const missedMs = Math.max(0, this.#clock.missedMs() - askedAt.missedMs)
    if (missedMs > MISSED_MS_MAX) return undefined
    const elapsedMs = this.#clock.monotonicMs() - askedAt.monotonicMs + missedMs
    return Math.ceil(nodeMs + elapsedMs * (1 + DRIFT))
  }

  earliestMs(): number | undefined {
    if (this.#last === undefined) return undefined
    const elapsedMs = this.#clock.monotonicMs() - this.#last.receivedAtMs
    return Math.floor(this.#last.nodeMs + elapsedMs * (1 - DRIFT))
  }
}
