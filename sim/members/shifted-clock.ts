import type { Clock, Timer } from '../../src/core/index.ts'
import { systemClock } from '../../src/core/system/index.ts'

/** The machine's clock with a wall that can be set wrong while it runs. The monotonic one stays right, as on a real machine. */
export class ShiftedClock implements Clock {
  offsetMs = 0

  nowMs(): number {
    return systemClock.nowMs() + this.offsetMs
  }

  monotonicMs(): number {
    return systemClock.monotonicMs()
  }

  /** A wall clock set forwards looks like time that was slept through. */
  missedMs(): number {
    return systemClock.missedMs() + Math.max(0, this.offsetMs)
  }

  setTimer(callback: () => void, delayMs: number, options?: { readonly keepAlive?: boolean }): Timer {
    return systemClock.setTimer(callback, delayMs, options)
  }

  setImmediate(callback: () => void): void {
    systemClock.setImmediate(callback)
  }

  sleep(delayMs: number, options?: { readonly signal?: AbortSignal }): Promise<void> {
    return systemClock.sleep(delayMs, options)
  }
}
