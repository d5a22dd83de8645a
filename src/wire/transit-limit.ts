/** Below this no sender goes: a receiver says what it has seen in halves of it. */
export const TRANSIT_BYTES_MIN = 64 * 1024

/**
 * How long what is in transit may keep an urgent frame waiting on a slow way. Longer than a busy process on either side
 * takes to look at its socket: below that, the way would seem slow because little is sent, and less and less would be.
 */
const TRANSIT_MS = 50

/** The rate is taken over at least this long. */
const MEASURED_MS_MIN = 5

/** Of the newest measurement in the average. */
const WEIGHT = 0.2

/**
 * How many bytes may be in transit: what the peer takes within a fixed time, so that an urgent frame does not wait
 * longer than that behind them on a slow way, and up to a bound on a fast one.
 */
export class TransitLimit {
  readonly #bytesMax: number
  #bytesPerMs = 0
  #bytes = 0
  #sinceMs: number | undefined
  limitBytes: number

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
    this.limitBytes = bytesMax
  }

  /** The peer has seen so many more. */
  onSeen(bytes: number, nowMs: number): void {
    this.#sinceMs ??= nowMs
    this.#bytes += bytes
    const elapsedMs = nowMs - this.#sinceMs
    if (elapsedMs < MEASURED_MS_MIN) return
    const rate = this.#bytes / elapsedMs
    this.#bytesPerMs = this.#bytesPerMs === 0 ? rate : this.#bytesPerMs * (1 - WEIGHT) + rate * WEIGHT
    this.#bytes = 0
    this.#sinceMs = nowMs
    this.limitBytes = Math.min(this.#bytesMax, Math.max(TRANSIT_BYTES_MIN, this.#bytesPerMs * TRANSIT_MS))
  }
}
