import { SkeinError } from '../../core/index.ts'

const HELD_MAX = 1_000
const HELD_BYTES_MAX = 128 * 1024 * 1024

/**
 * Keeps one publisher's messages in order while one of them has to wait for its quota, its chunks or its claim check:
 * what comes later waits behind it, within a bound.
 */
export class Gate {
  readonly #topic: string
  #tail: Promise<unknown> = Promise.resolve()
  #held = 0
  #heldBytes = 0

  constructor(topic: string) {
    this.#topic = topic
  }

  /** Nothing waits: a message may go on without a promise of its own. */
  get isOpen(): boolean {
    return this.#held === 0
  }

  /** Runs the work after everything held before it. Rejects with `overloaded` beyond the bound. */
  async hold<T>(bytes: number, work: () => Promise<T>): Promise<T> {
    if (this.#held >= HELD_MAX || this.#heldBytes + bytes > HELD_BYTES_MAX) throw this.#overloaded()
    this.#held += 1
    this.#heldBytes += bytes
    // What is awaited is the handing over, not the receipt: `work` resolves to a function's promise wrapped in an object.
    const run = this.#tail.then(work)
    this.#tail = run.catch(() => undefined)
    try {
      return await run
    } finally {
      this.#held -= 1
      this.#heldBytes -= bytes
    }
  }

  #overloaded(): SkeinError {
    return new SkeinError(
      'overloaded',
      `Cannot publish to ${this.#topic}: ${this.#held} messages wait for their quota or for large ones before them`,
      { retryable: true, details: { topic: this.#topic, held: this.#held, heldBytes: this.#heldBytes } },
    )
  }
}
