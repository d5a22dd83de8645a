import type { Entry, Proposed } from '../../raft/index.ts'
import { OutcomeUnknownError } from '../errors.ts'

interface Pending extends Proposed {
  readonly resolve: (proposed: Proposed) => void
  readonly reject: (error: unknown) => void
}

/** What was proposed here and is not yet committed, in the order of the log: one promise for a whole call. */
export class PendingProposals {
  #pending: Pending[] = []
  /** Those before are settled. */
  #head = 0

  get isEmpty(): boolean {
    return this.#head === this.#pending.length
  }

  /** Resolves when the last of them is committed; rejects with `OutcomeUnknownError`. */
  wait(proposed: Proposed, signal?: AbortSignal): Promise<Proposed> {
    const { promise, resolve, reject } = Promise.withResolvers<Proposed>()
    this.#pending.push({ ...proposed, resolve, reject })
    if (signal === undefined) return promise
    const onAbort = () => reject(unknown('the caller stopped waiting', proposed, signal.reason))
    signal.addEventListener('abort', onAbort, { once: true })
    return promise.finally(() => signal.removeEventListener('abort', onAbort))
  }

  /** These were committed; they follow each other. */
  committed(entries: readonly Entry[]): void {
    const first = entries[0]!.index
    const last = entries.at(-1)!.index
    for (; this.#head < this.#pending.length; this.#head += 1) {
      const pending = this.#pending[this.#head]!
      if (pending.last > last) break
      const isSame = entries[pending.last - first]?.term === pending.term
      if (isSame) pending.resolve(pending)
      else pending.reject(unknown('another leader took its place', pending))
    }
    if (this.#head < 4_096 && !this.isEmpty) return
    this.#pending = this.#pending.slice(this.#head)
    this.#head = 0
  }

  /** Nobody here will learn what becomes of them. */
  abandon(why: string, cause?: unknown): void {
    const left = this.#pending.slice(this.#head)
    this.#pending = []
    this.#head = 0
    for (const pending of left) pending.reject(unknown(why, pending, cause))
  }
}

function unknown(why: string, { first, last, term }: Proposed, cause?: unknown): OutcomeUnknownError {
  return new OutcomeUnknownError(why, { cause, details: { first, last, term } })
}
