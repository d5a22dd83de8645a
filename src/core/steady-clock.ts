import type { Clock } from './clock.ts'

export interface SteadyClock extends Clock {
  /** Wall time is at least this from now on: what was told before the process started, for instance. */
  notBefore(wallMs: number): void
}

/**
 * A clock whose wall time never goes back. While the machine's is behind what was told before, time goes on by the
 * monotonic clock; when the machine's is ahead, it is believed. What was too late once stays too late: a node's
 * deadlines, times to live and windows need that, whoever sets the machine's clock.
 */
export function steadyClock(clock: Clock): SteadyClock {
  let wallMs = clock.nowMs()
  let monotonicMs = clock.monotonicMs()
  return {
    nowMs() {
      const nowMs = clock.nowMs()
      const passedMs = clock.monotonicMs() - monotonicMs
      const steadyMs = wallMs + Math.floor(passedMs)
      if (nowMs <= steadyMs) return steadyMs
      wallMs = nowMs
      monotonicMs += passedMs
      return nowMs
    },
    notBefore(ms) {
      if (ms <= this.nowMs()) return
      wallMs = ms
      monotonicMs = clock.monotonicMs()
    },
    monotonicMs: () => clock.monotonicMs(),
    missedMs: () => clock.missedMs(),
    setTimer: (callback, delayMs, options) => clock.setTimer(callback, delayMs, options),
    setImmediate(callback: () => void) {
      clock.setImmediate(callback)
    },
    sleep: (delayMs, options) => clock.sleep(delayMs, options),
  }
}
