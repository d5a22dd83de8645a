import { SkeinError } from '../../core/index.ts'
import type { ReadState } from '../../raft/index.ts'

interface Waiting {
  readonly resolve: (index: number) => void
  readonly reject: (error: unknown) => void
}

const WAITING_MAX = 100_000

/** Calls for a read point, gathered so that those of one turn share one question. */
export class Barriers {
  readonly #ask: (context: unknown) => void
  #gathered: Waiting[] | undefined
  #count = 0
  /** Asked and unanswered. */
  readonly #asked = new Set<readonly Waiting[]>()

  constructor(ask: (context: unknown) => void) {
    this.#ask = ask
  }

  wait(signal: AbortSignal | undefined): Promise<number> {
    if (this.#count >= WAITING_MAX) {
      const message = `Cannot find a read point: ${WAITING_MAX} calls wait for one already; try again`
      return Promise.reject(new SkeinError('overloaded', message, { retryable: true }))
    }
    const { promise, resolve, reject } = Promise.withResolvers<number>()
    this.#count += 1
    if (this.#gathered === undefined) {
      this.#gathered = []
      queueMicrotask(() => this.#flush())
    }
    this.#gathered.push({ resolve, reject })
    if (signal === undefined) return promise
    const onAbort = () => reject(signal.reason)
    signal.addEventListener('abort', onAbort, { once: true })
    return promise.finally(() => signal.removeEventListener('abort', onAbort))
  }

  #flush(): void {
    const waiting = this.#gathered
    this.#gathered = undefined
    if (waiting === undefined) return
    this.#asked.add(waiting)
    this.#ask(waiting)
  }

  readable(states: readonly ReadState[]): void {
    for (const { index, context } of states) for (const { resolve } of this.#settle(context)) resolve(index)
  }

  aborted(contexts: readonly unknown[], error: unknown): void {
    for (const context of contexts) for (const { reject } of this.#settle(context)) reject(error)
  }

  #settle(context: unknown): readonly Waiting[] {
    const waiting = context as readonly Waiting[]
    if (!this.#asked.delete(waiting)) return []
    this.#count -= waiting.length
    return waiting
  }

  close(error: unknown): void {
    const gathered = this.#gathered
    this.#gathered = undefined
    if (gathered !== undefined) this.#asked.add(gathered)
    this.aborted([...this.#asked], error)
  }
}
