import type { Clock, Timer } from '../../core/index.ts'

/** Where reads wait for something to happen: woken all together, timed, cancellable, closable. */
export class WaitPoint {
  readonly #clock: Clock
  #waiting: Array<(error?: unknown) => void> = []

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Resolves at `wake()` or after `delayMs`; rejects with `signal.reason`, or with what `fail` is given. */
  wait(options: { readonly delayMs: number | undefined; readonly signal: AbortSignal | undefined }): Promise<void> {
    const { delayMs, signal } = options
    return new Promise((resolve, reject) => {
      let timer: Timer | undefined
      const onAbort = () => settle(signal?.reason)
      const settle = (error?: unknown) => {
        timer?.cancel()
        signal?.removeEventListener('abort', onAbort)
        const index = this.#waiting.indexOf(settle)
        if (index !== -1) this.#waiting.splice(index, 1)
        if (error === undefined) resolve()
        else reject(error)
      }
      this.#waiting.push(settle)
      if (delayMs !== undefined) timer = this.#clock.setTimer(() => settle(), delayMs, { keepAlive: true })
      signal?.addEventListener('abort', onAbort, { once: true })
    })
  }

  wake(): void {
    const waiting = this.#waiting
    if (waiting.length === 0) return
    this.#waiting = []
    for (const settle of waiting) settle()
  }

  fail(error: unknown): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const settle of waiting) settle(error)
  }
}
