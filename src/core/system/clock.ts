import { uptime } from 'node:os'
import type { Clock } from '../clock.ts'
import { missedTime } from '../missed-time.ts'

/** A longer timeout would fire at once. */
const TIMEOUT_MS_MAX = 2 ** 31 - 1

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
    let timer: NodeJS.Timeout
    const arm = (leftMs: number) => {
      const isLong = leftMs > TIMEOUT_MS_MAX
      timer = setTimeout(isLong ? () => arm(leftMs - TIMEOUT_MS_MAX) : callback, isLong ? TIMEOUT_MS_MAX : leftMs)
      if (!options?.keepAlive) timer.unref()
    }
    arm(delayMs)
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
        timer.cancel()
        reject(signal?.reason)
      }
      const over = () => {
        signal?.removeEventListener('abort', onAbort)
        resolve()
      }
      const timer = this.setTimer(over, delayMs, { keepAlive: true })
      signal?.addEventListener('abort', onAbort, { once: true })
    })
  },
}
