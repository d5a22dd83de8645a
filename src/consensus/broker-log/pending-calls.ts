import { SkeinError } from '../../core/index.ts'
import { OutcomeUnknownError } from '../errors.ts'
import type { FoldedCall } from './log-fold.ts'

interface Pending {
  readonly sinceMs: number
  readonly resolve: (call: FoldedCall) => void
  readonly reject: (error: unknown) => void
}

/** Calls that this writer has sent and not yet met in the topic, by their number, the oldest first. */
export class PendingCalls {
  readonly #pending = new Map<number, Pending>()

  get count(): number {
    return this.#pending.size
  }

  /** `sinceMs`: by any clock that does not go back. */
  wait(call: number, signal: AbortSignal | undefined, sinceMs = 0): Promise<FoldedCall> {
    const { promise, resolve, reject } = Promise.withResolvers<FoldedCall>()
    this.#pending.set(call, { sinceMs, resolve, reject })
    if (signal === undefined) return promise
    const onAbort = () => reject(new OutcomeUnknownError('the caller stopped waiting', { cause: signal.reason }))
    signal.addEventListener('abort', onAbort, { once: true })
    return promise.finally(() => signal.removeEventListener('abort', onAbort))
  }

  folded(call: number, folded: FoldedCall): void {
    this.#pending.get(call)?.resolve(folded)
    this.#pending.delete(call)
  }

  fail(call: number, error: unknown): void {
    this.#pending.get(call)?.reject(error)
    this.#pending.delete(call)
  }

  /** Those that were sent earlier. */
  failBefore(timeMs: number, error: () => unknown): void {
    for (const [call, { sinceMs }] of this.#pending) {
      if (sinceMs >= timeMs) return
      this.fail(call, error())
    }
  }

  failAll(error: () => unknown): void {
    for (const call of [...this.#pending.keys()]) this.fail(call, error())
  }
}

export function notLeading(action: string, leader: string | undefined): SkeinError {
  const hint = leader === undefined ? 'nobody has taken it over yet: do' : `ask ${leader}, or take over`
  return new SkeinError('not-leader', `Cannot ${action}: this member does not lead; ${hint}`, {
    retryable: true,
    details: { leader },
  })
}
