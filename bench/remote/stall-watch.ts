const TICK_MS = 2
const STALL_MS_MIN = 10

/** How often, and for how long, a process that has nothing to do was not run: what the machine itself adds to latencies. */
export class StallWatch {
  count = 0
  maxMs = 0
  #lastMs = performance.now()
  readonly #timer = setInterval(() => this.#look(), TICK_MS)

  #look(): void {
    const nowMs = performance.now()
    const lateMs = nowMs - this.#lastMs - TICK_MS
    this.#lastMs = nowMs
    if (lateMs < STALL_MS_MIN) return
    this.count += 1
    this.maxMs = Math.max(this.maxMs, lateMs)
  }

  stop(): void {
    clearInterval(this.#timer)
  }
}
