import { uptime } from 'node:os'
import type { Clock } from '../clock.ts'
import { missedTime } from '../missed-time.ts'

/** The machine's clock. */
export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  // Node's monotonic clock stands still while Linux is suspended, the uptime does not; elsewhere that is whole seconds.
  missedMs: missedTime({
    monotonicMs: () => performance.now(),
    others: [() => Date.now(), ...(process.platform === 'linux' ? [() => uptime() * 1_000] : [])],
  }),
  setTimer(callback, delayMs, options) {
    const timer = setTimeout(callback, delayMs)
    if (!options?.keepAlive) timer.unref()
    return { cancel: () => clearTimeout(timer) }
  },
  setImmediate(callback) {
    setImmediate(callback)
  },
  sleep(delayMs, options) {
    const signal = options?.signal
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason)
      const onAbort = () => {
        clearTimeout(timer)
        reject(signal?.reason)
      }
      const timer = setTimeout(() => {
        signal?.removeEventListener('abort', onAbort)
        resolve()
      }, delayMs)
      signal?.addEventListener('abort', onAbort, { once: true })
    })
  },
}
