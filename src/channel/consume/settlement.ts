import type { Delivery, Position, Reader, SettleOptions } from '../../bus/index.ts'
import { SkeinError } from '../../core/index.ts'

export type Verdict = 'retry' | 'release' | 'dead'

/** Errors after which the partition is somebody else's, or nobody's: there is nothing left to acknowledge. */
export function isGone(error: unknown): boolean {
  return error instanceof SkeinError && (error.code === 'revoked' || error.code === 'closed')
}

/** No retry can mend it: the stored bytes themselves are wrong. */
export function isUndecodable(error: unknown): boolean {
  return error instanceof SkeinError && (error.code === 'schema-mismatch' || error.code === 'corrupt')
}

/**
 * Settles on one reader, and remembers whether all of it went well: a batch of which something could not be settled
 * must not be acknowledged, because the acknowledgment is cumulative.
 */
export class Settlement {
  readonly #reader: Reader
  readonly #pending: Array<Promise<void>> = []
  #failure: { readonly error: unknown } | undefined

  constructor(reader: Reader) {
    this.#reader = reader
  }

  settle(deliveries: readonly Delivery[], how: Verdict, options: SettleOptions = {}): void {
    if (deliveries.length === 0) return
    this.#pending.push(
      this.#reader.settle(deliveries, how, options).catch((error: unknown) => {
        this.#failure ??= { error }
      }),
    )
  }

  get isIdle(): boolean {
    return this.#pending.length === 0
  }

  /** Rejects with the first failure. */
  async done(): Promise<void> {
    await Promise.all(this.#pending.splice(0))
    if (this.#failure !== undefined) throw this.#failure.error
  }

  async acknowledge(through: Position, generation: number): Promise<void> {
    if (!this.isIdle) await this.done()
    await this.#reader.acknowledge(through, generation)
  }
}

export function errorText(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error)
}
