import type { Clock, Timer } from '../core/index.ts'

/** What is urgent takes precedence for so long at most: a slow disk or a slow handler must not stop telemetry. */
const URGENT_MS_MAX = 20
/**
 * What was urgent is followed by more, in this process or another of the machine: a receipt by a delivery, a delivery by
 * a claim. So the precedence lasts on for as long as urgent work took of late, which is long only where processors or
 * disks are short.
 */
const GRACE_MS_MAX = 15
const GRACE_PER_MS = 1.5
/** How long it takes until half of the longest urgent work seen is forgotten. */
const HALF_LIFE_MS = 5_000
/** Bulk work is held back for so long at most; then each connection does one piece of it. */
const HELD_MS_MAX = 25

/**
 * Commands before telemetry, within one process: while a command is being stored, or has been given and not been
 * acknowledged, bulk work waits. Lanes keep a command from waiting in a queue; this keeps it from waiting for a
 * processor and a disk that telemetry keeps busy.
 */
export class Precedence {
  readonly #clock: Clock
  #underWay = 0
  #untilMs = 0
  /** The longest that urgent work took of late; at first the worst is supposed. */
  #peakMs = URGENT_MS_MAX
  #peakAtMs = Number.NEGATIVE_INFINITY
  #held: Array<() => void> = []
  #patience: Timer | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Something urgent has begun. The returned function says that it is over; idempotent. */
  begin(): () => void {
    const begunMs = this.#clock.monotonicMs()
    this.#underWay += 1
    this.#untilMs = begunMs + URGENT_MS_MAX
    let isOver = false
    return () => {
      if (isOver) return
      isOver = true
      this.#underWay -= 1
      const nowMs = this.#clock.monotonicMs()
      this.#note(nowMs - begunMs, nowMs)
      if (this.#underWay === 0) this.#end(nowMs)
    }
  }

  /** Whether bulk work has to wait now. */
  get isTaken(): boolean {
    return this.#clock.monotonicMs() < this.#untilMs
  }

  /** Calls back in a later turn: the next one, or once nothing urgent is under way, or after the longest wait. */
  later(callback: () => void): void {
    if (!this.isTaken) {
      this.#clock.setImmediate(callback)
      return
    }
    this.#held.push(callback)
    this.#patience ??= this.#clock.setTimer(() => this.#release(), HELD_MS_MAX)
  }

  /** Resolves when bulk work may go on. */
  async clear(): Promise<void> {
    if (this.isTaken) await new Promise<void>((resolve) => this.later(resolve))
  }

  #note(tookMs: number, nowMs: number): void {
    const left = this.#peakAtMs === Number.NEGATIVE_INFINITY ? 1 : 0.5 ** ((nowMs - this.#peakAtMs) / HALF_LIFE_MS)
    this.#peakMs = Math.max(this.#peakMs * left, Math.min(tookMs, URGENT_MS_MAX))
    this.#peakAtMs = nowMs
  }

  #end(nowMs: number): void {
    const graceMs = Math.min(this.#peakMs * GRACE_PER_MS, GRACE_MS_MAX)
    this.#untilMs = Math.min(this.#untilMs, nowMs + graceMs)
    if (this.#held.length > 0) this.#clock.setTimer(() => this.#look(), graceMs)
  }

  #look(): void {
    if (!this.isTaken) this.#release()
  }

  #release(): void {
    this.#patience?.cancel()
    this.#patience = undefined
    const held = this.#held
    this.#held = []
    for (const callback of held) this.#clock.setImmediate(callback)
  }
}
