/** Where waits for news stand: woken all together, each cancellable. */
export class Wake {
  #waiting = new Set<(error?: unknown) => void>()

  /** Resolves at the next `wake()`; rejects with `signal.reason`. */
  wait(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason)
      const onAbort = () => {
        this.#waiting.delete(settle)
        reject(signal?.reason)
      }
      const settle = () => {
        signal?.removeEventListener('abort', onAbort)
        resolve()
      }
      this.#waiting.add(settle)
      signal?.addEventListener('abort', onAbort, { once: true })
    })
  }

  wake(): void {
    if (this.#waiting.size === 0) return
    const waiting = this.#waiting
    this.#waiting = new Set()
    for (const settle of waiting) settle()
  }
}
