import { type Clock, ClosedError } from '../../../core/index.ts'
import type { ReadLimits } from '../../index.ts'
import { WaitPoint } from '../../kit/index.ts'

const MESSAGES_MAX = 4_096
const BYTES_MAX = 1024 * 1024

/** What one read is limited to, decided. */
export interface ReadSizes {
  readonly countMax: number
  readonly bytesMax: number
}

export function readSizes(limits: ReadLimits): ReadSizes {
  return { countMax: limits.maxMessages ?? MESSAGES_MAX, bytesMax: limits.maxBytes ?? BYTES_MAX }
}

export interface ReadSteps<T> {
  /** Where the reader stands is decided before its time runs: then nothing written after a read that gave nothing is missed. */
  readonly ready: () => Promise<void>
  readonly take: () => Promise<T | undefined> | T | undefined
  /** Until something may come without news from the server. */
  readonly nextDueMs: () => number | undefined
}

/** What all readers share: waiting for news, deadlines, cancelling, failing, closing. */
export class ReadLoop {
  readonly #name: string
  readonly #clock: Clock
  readonly #news: WaitPoint
  readonly #abort = new AbortController()
  #failure: Error | undefined
  #version = 0

  constructor(name: string, clock: Clock) {
    this.#name = name
    this.#clock = clock
    this.#news = new WaitPoint(clock)
  }

  /** Aborted at `close()`, with the error that callers get. */
  get signal(): AbortSignal {
    return this.#abort.signal
  }

  get isClosed(): boolean {
    return this.#abort.signal.aborted
  }

  closedError(): ClosedError {
    return new ClosedError(this.#name)
  }

  wake(): void {
    this.#version += 1
    this.#news.wake()
  }

  /** Nothing can be read any more, and every read says why. */
  fail(error: Error): void {
    this.#failure ??= error
    this.wake()
  }

  async run<T>(limits: ReadLimits, steps: ReadSteps<T>): Promise<T | null> {
    const { signal, waitMs } = limits
    this.#check(signal)
    await this.#orStop(steps.ready(), signal)
    const deadlineMs = waitMs === undefined ? undefined : this.#clock.monotonicMs() + waitMs
    for (;;) {
      this.#check(signal)
      const version = this.#version
      const taken = await steps.take()
      if (taken !== undefined) return taken
      this.#check(signal)
      const leftMs = deadlineMs === undefined ? undefined : deadlineMs - this.#clock.monotonicMs()
      if (leftMs !== undefined && leftMs <= 0) return null
      const dueMs = steps.nextDueMs()
      const delayMs = leftMs === undefined ? dueMs : Math.min(leftMs, dueMs ?? leftMs)
      if (version === this.#version) await this.#news.wait({ delayMs, signal })
    }
  }

  #check(signal: AbortSignal | undefined): void {
    signal?.throwIfAborted()
    if (this.isClosed) throw this.closedError()
    if (this.#failure !== undefined) throw this.#failure
  }

  /** The promise, or the reason of whichever signal comes first. */
  async #orStop(promise: Promise<void>, signal: AbortSignal | undefined): Promise<void> {
    const stop = Promise.withResolvers<never>()
    stop.promise.catch(() => {})
    const onAbort = () => stop.reject(signal?.aborted ? signal.reason : this.closedError())
    signal?.addEventListener('abort', onAbort, { once: true })
    this.signal.addEventListener('abort', onAbort, { once: true })
    try {
      await Promise.race([promise, stop.promise])
    } finally {
      signal?.removeEventListener('abort', onAbort)
      this.signal.removeEventListener('abort', onAbort)
    }
  }

  /** False when it was closed before. */
  close(): boolean {
    if (this.isClosed) return false
    this.#abort.abort(this.closedError())
    this.#news.fail(this.closedError())
    return true
  }
}
