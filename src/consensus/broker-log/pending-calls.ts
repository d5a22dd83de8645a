import { SkeinError } from '../../core/index.ts'
import { OutcomeUnknownError } from '../errors.ts'
import type { FoldedCall } from './log-fold.ts'

interface Pending {
  readonly resolve: (call: FoldedCall) => void
  readonly reject: (error: unknown) => void
}

/** Calls that this writer has sent and not yet met in the topic. */
export class PendingCalls {
  readonly #pending = new Map<number, Pending>()

  get count(): number {
    return this.#pending.size
  }

  wait(call: number, signal: AbortSignal | undefined): Promise<FoldedCall> {
    const { promise, resolve, reject } = Promise.withResolvers<FoldedCall>()
    this.#pending.set(call, { resolve, reject })
    if (signal === undefined) return promise
    const onAbort = () => reject(new OutcomeUnknownError('the caller stopped waiting', { cause: signal.reason }))
    signal.addEventListener('abort', onAbort, { once: true })
    return promise.finally(() => signal.removeEventListener('abort', onAbort))
  }

  folded(call: FoldedCall): void {
    this.#pending.get(call.call)?.resolve(call)
    this.#pending.delete(call.call)
  }

  fail(call: number, error: unknown): void {
    this.#pending.get(call)?.reject(error)
    this.#pending.delete(call)
  }

  failAll(error: (call: number) => unknown): void {
    for (const [call, { reject }] of this.#pending) reject(error(call))
    this.#pending.clear()
  }
}

export function notLeading(action: string, leader: string | undefined): SkeinError {
  const hint = leader === undefined ? 'nobody has taken it over yet: do' : `ask ${leader}, or take over`
  return new SkeinError('not-leader', `Cannot ${action}: this member does not lead; ${hint}`, {
    retryable: true,
    details: { leader },
  })
}
