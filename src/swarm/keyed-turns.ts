import { SkeinError } from '../core/index.ts'

const WAITING_MAX = 64

interface Line {
  tail: Promise<unknown>
  waiting: number
}

/** Work on one key happens one after the other, in the order it came; different keys do not wait for each other. */
export class KeyedTurns {
  readonly #lines = new Map<string, Line>()

  busy(key: string): boolean {
    return this.#lines.has(key)
  }

  /** Runs the work when its turn comes. Rejects with `overloaded` when too much waits for this key already. */
  run<T>(key: string, work: () => Promise<T>): Promise<T> {
    const line = this.#lines.get(key) ?? { tail: Promise.resolve(), waiting: 0 }
    if (line.waiting >= WAITING_MAX) {
      const message = `Cannot queue more for "${key}": ${WAITING_MAX} requests wait already; ask again later`
      return Promise.reject(new SkeinError('overloaded', message, { retryable: true }))
    }
    line.waiting += 1
    const result = line.tail.then(work)
    const tail = result.then(ignore, ignore).then(() => {
      line.waiting -= 1
      if (line.tail === tail) this.#lines.delete(key)
    })
    line.tail = tail
    this.#lines.set(key, line)
    return result
  }

  /** Resolves when nothing runs or waits. */
  async idle(): Promise<void> {
    while (this.#lines.size > 0) await Promise.all([...this.#lines.values()].map((line) => line.tail))
  }
}

function ignore(): void {}
