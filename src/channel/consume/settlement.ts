import type { Batch, Delivery, Position, Reader, SettleOptions } from '../../bus/index.ts'
import { SkeinError } from '../../core/index.ts'

export type Verdict = 'retry' | 'release' | 'dead'

/** Errors after which the partition is somebody else's, or nobody's: there is nothing left to acknowledge. */
export function isGone(error: unknown): boolean {
  return error instanceof SkeinError && (error.code === 'revoked' || error.code === 'closed')
}

/** Messages are missing from what is stored: by retention, or by damage. Reading can go on behind them. */
export function isGap(error: unknown): boolean {
  return error instanceof SkeinError && (error.code === 'position-gone' || error.code === 'corrupt')
}

/** A message is dead and its letter could not be stored: it is kept and tried again, and reading goes on. */
export function isUnburied(error: unknown): boolean {
  return error instanceof SkeinError && error.code === 'dead-letter-failed'
}

/** The log takes nothing more until it is opened again. */
export function isFatal(error: unknown): boolean {
  return error instanceof SkeinError && error.code === 'log-poisoned'
}

/** No retry can mend it: the stored bytes themselves are wrong. */
export function isUndecodable(error: unknown): boolean {
  return error instanceof SkeinError && (error.code === 'schema-mismatch' || error.code === 'corrupt')
}

/**
 * What is decided about the messages of one batch. Settling and acknowledging are called without waiting in between: an
 * acknowledgment that came after a redelivery had been given would be taken for the redelivery's.
 */
export class Settlement {
  readonly #reader: Reader
  readonly #pending: Array<Promise<void>> = []
  readonly #settled = new Set<Delivery>()

  constructor(reader: Reader) {
    this.#reader = reader
  }

  settle(deliveries: readonly Delivery[], how: Verdict, options: SettleOptions = {}): void {
    if (deliveries.length === 0) return
    for (const delivery of deliveries) this.#settled.add(delivery)
    const settling = this.#reader.settle(deliveries, how, options)
    // Its failure is told by `done()`.
    settling.catch(() => undefined)
    this.#pending.push(settling)
  }

  /** Acknowledges what was not settled otherwise, below `before` if there is such a bound. Rejects with the first failure. */
  acknowledge(batch: Batch, before?: number): Promise<void> {
    const through = this.#through(batch, before)
    const acknowledged = through === undefined ? undefined : this.#reader.acknowledge(through, batch.generation)
    if (this.#pending.length === 0) return acknowledged ?? Promise.resolve()
    acknowledged?.catch(() => undefined)
    return Promise.all([...this.#pending, acknowledged]).then(() => undefined)
  }

  /** Rejects with the first failure. */
  async done(): Promise<void> {
    await Promise.all(this.#pending)
  }

  #through(batch: Batch, before: number | undefined): Position | undefined {
    if (this.#settled.size === 0 && before === undefined) return batch.last
    const last = batch.deliveries.findLast(
      (one) => !this.#settled.has(one) && (before === undefined || one.position.sequence < before),
    )
    return last?.position
  }
}

/** What order is kept by: the key, or the subject where there is none. */
export function orderKeyOf(message: { readonly key: string | undefined; readonly subject: string }): string {
  return message.key ?? message.subject
}
