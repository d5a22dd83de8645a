import { ClosedError, SkeinError } from '../../core/index.ts'

/** Counts the bytes that a writer has accepted and not settled, and lets callers wait for room. */
export class WriteGate {
  readonly #what: string
  readonly #bytesMax: number
  #bytes = 0
  #closed = false
  #waiting: Array<{ readonly until: 'room' | 'empty'; readonly settle: (error?: unknown) => void }> = []

  constructor(what: string, bytesMax: number) {
    this.#what = what
    this.#bytesMax = bytesMax
  }

  get full(): boolean {
    return this.#bytes >= this.#bytesMax
  }

  get isClosed(): boolean {
    return this.#closed
  }

  /** Why a write may not start now. */
  refusal(): SkeinError | undefined {
    if (this.#closed) return new ClosedError(this.#what)
    if (!this.full) return undefined
    return new SkeinError(
      'overloaded',
      `Cannot write to ${this.#what}: ${this.#bytes} bytes wait to be stored, at most ${this.#bytesMax}; await drained() first`,
      { retryable: true, details: { bytes: this.#bytes, bytesMax: this.#bytesMax } },
    )
  }

  enter(bytes: number): void {
    this.#bytes += bytes
  }

  leave(bytes: number): void {
    this.#bytes -= bytes
    if (this.#waiting.length === 0) return
    const ready = this.#waiting.filter((one) => this.#isOpenFor(one.until))
    if (ready.length === 0) return
    this.#waiting = this.#waiting.filter((one) => !ready.includes(one))
    for (const one of ready) one.settle()
  }

  #isOpenFor(until: 'room' | 'empty'): boolean {
    return until === 'empty' ? this.#bytes === 0 : !this.full
  }

  /** Resolves when there is room, or when nothing waits any more. Rejects when aborted, or closed while it waits for room. */
  wait(until: 'room' | 'empty', signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) return Promise.reject(signal.reason)
    if (this.#isOpenFor(until)) return Promise.resolve()
    if (this.#closed && until === 'room') return Promise.reject(new ClosedError(this.#what))
    return new Promise((resolve, reject) => {
      const onAbort = () => {
        this.#waiting = this.#waiting.filter((one) => one !== entry)
        reject(signal?.reason)
      }
      const settle = (error?: unknown) => {
        signal?.removeEventListener('abort', onAbort)
        if (error === undefined) resolve()
        else reject(error)
      }
      const entry = { until, settle }
      this.#waiting.push(entry)
      signal?.addEventListener('abort', onAbort, { once: true })
    })
  }

  /** Nothing enters any more; whoever waits for room is told so. */
  close(): void {
    this.#closed = true
    const waiting = this.#waiting.filter((one) => one.until === 'room')
    this.#waiting = this.#waiting.filter((one) => one.until === 'empty')
    for (const one of waiting) one.settle(new ClosedError(this.#what))
  }
}
