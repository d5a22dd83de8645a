import type { SkeinError } from '../../../core/index.ts'
import { type Durability, type Receipt, WriteError } from '../../index.ts'
import type { Entry } from './confirm-window.ts'
import type { Outgoing } from './envelope.ts'

const NOTHING: readonly never[] = Object.freeze([])

export interface Grant {
  readonly durability: Durability
  readonly asserted: boolean
}

/** One batch of a writer on its way: settled when the last of its messages is. */
export class PendingBatch {
  readonly receipt: Promise<Receipt>
  readonly #topic: string
  readonly #grant: Grant
  readonly #count: number
  readonly #onSettled: () => void
  readonly #resolve: (receipt: Receipt) => void
  readonly #reject: (error: unknown) => void
  #left: number
  #failure: SkeinError | undefined
  /** Indexes that failed, and those of them that may be stored; mostly there are none. */
  #failed: Set<number> | undefined
  #unknown: number[] | undefined

  constructor(count: number, parts: { readonly topic: string; readonly grant: Grant; readonly onSettled: () => void }) {
    const { promise, resolve, reject } = Promise.withResolvers<Receipt>()
    this.receipt = promise
    this.#resolve = resolve
    this.#reject = reject
    this.#topic = parts.topic
    this.#grant = parts.grant
    this.#onSettled = parts.onSettled
    this.#count = count
    this.#left = count
  }

  stored(): void {
    this.#left -= 1
    if (this.#left === 0) this.#settle()
  }

  failed(index: number, error: SkeinError, mayBeStored: boolean): void {
    this.#failure ??= error
    this.#failed ??= new Set()
    this.#failed.add(index)
    if (mayBeStored) {
      this.#unknown ??= []
      this.#unknown.push(index)
    }
    this.stored()
  }

  #settle(): void {
    this.#onSettled()
    if (this.#failure === undefined) this.#resolve(this.#receiptOf())
    else this.#reject(this.#errorOf(this.#failure))
  }

  /** RabbitMQ's confirm does not say where a message is: there are no positions. */
  #receiptOf(): Receipt {
    const { durability, asserted } = this.#grant
    return {
      positions: NOTHING,
      accepted: this.#count,
      duplicates: NOTHING,
      conflated: NOTHING,
      durability,
      asserted,
    }
  }

  #errorOf(cause: SkeinError): SkeinError {
    const failed = this.#failed!
    if (failed.size === this.#count && this.#unknown === undefined && PLAIN.has(cause.code)) return cause
    const accepted = Array.from({ length: this.#count }, (_, index) => index).filter((index) => !failed.has(index))
    return new WriteError(
      `Cannot store ${failed.size} of ${this.#count} messages in "${this.#topic}": ${cause.message}`,
      { accepted, unknown: this.#unknown ?? NOTHING, cause, retryable: cause.retryable },
    )
  }
}

/** Of a batch of which nothing was stored, these say more by themselves. */
const PLAIN: ReadonlySet<string> = new Set(['not-found', 'closed', 'overloaded'])

/** One message of a pending batch. */
export class BatchEntry implements Entry {
  readonly outgoing: Outgoing
  readonly #batch: PendingBatch
  readonly #index: number
  wasSent = false
  isSettled = false

  constructor(outgoing: Outgoing, batch: PendingBatch, index: number) {
    this.outgoing = outgoing
    this.#batch = batch
    this.#index = index
  }

  stored(): void {
    this.#batch.stored()
  }

  failed(error: SkeinError, mayBeStored: boolean): void {
    this.#batch.failed(this.#index, error, mayBeStored)
  }
}
