import type { SkeinError } from '../core/index.ts'
import type { Head } from './message.ts'

interface CallAnswer {
  readonly head: Head
  readonly body: Uint8Array
}

interface Waiting {
  readonly resolve: (answer: CallAnswer) => void
  readonly reject: (error: unknown) => void
  readonly signal: AbortSignal | undefined
  readonly onAbort: (() => void) | undefined
}

/** Calls of this side that wait for their reply. */
export class OutgoingCalls {
  readonly #cancel: (channel: number) => void
  readonly #waiting = new Map<number, Waiting>()
  #nextChannel = 1

  constructor(cancel: (channel: number) => void) {
    this.#cancel = cancel
  }

  /** Numbers a call, sends it, and resolves with its answer. */
  open(signal: AbortSignal | undefined, send: (channel: number) => void): Promise<CallAnswer> {
    if (signal?.aborted) return Promise.reject(signal.reason)
    const channel = this.#takeChannel()
    return new Promise((resolve, reject) => {
      const onAbort = signal === undefined ? undefined : () => this.#abort(channel, signal)
      this.#waiting.set(channel, { resolve, reject, signal, onAbort })
      if (onAbort !== undefined) signal?.addEventListener('abort', onAbort, { once: true })
      try {
        send(channel)
      } catch (error) {
        this.reject(channel, error)
      }
    })
  }

  /** An answer to a call that nobody waits for any more is dropped: it was cancelled while the answer was under way. */
  resolve(channel: number, answer: CallAnswer): void {
    this.#take(channel)?.resolve(answer)
  }

  reject(channel: number, error: unknown): void {
    this.#take(channel)?.reject(error)
  }

  rejectAll(error: SkeinError): void {
    for (const channel of [...this.#waiting.keys()]) this.reject(channel, error)
  }

  #abort(channel: number, signal: AbortSignal): void {
    const waiting = this.#take(channel)
    if (waiting === undefined) return
    this.#cancel(channel)
    waiting.reject(signal.reason)
  }

  #take(channel: number): Waiting | undefined {
    const waiting = this.#waiting.get(channel)
    if (waiting === undefined) return undefined
    this.#waiting.delete(channel)
    if (waiting.onAbort !== undefined) waiting.signal?.removeEventListener('abort', waiting.onAbort)
    return waiting
  }

  #takeChannel(): number {
    do {
      this.#nextChannel = this.#nextChannel >= 0xffff_ffff ? 1 : this.#nextChannel + 1
    } while (this.#waiting.has(this.#nextChannel))
    return this.#nextChannel
  }
}
