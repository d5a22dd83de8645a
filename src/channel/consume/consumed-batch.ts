import type { Batch, Delivery, SettleOptions } from '../../bus/index.ts'
import { SkeinError } from '../../core/index.ts'
import type { ReceivedMessage } from './received-message.ts'
import type { Settlement, Verdict } from './settlement.ts'

/**
 * Messages of one partition, for a loop. Asking for the next batch acknowledges this one. Iterating over it skips what
 * was settled meanwhile, so that after `retry(message)` later messages of that key are not seen too early.
 */
export class ConsumedBatch<T> {
  readonly #batch: Batch
  readonly #settlement: Settlement
  readonly #open: Map<ReceivedMessage<T>, Delivery>
  readonly #messages: readonly ReceivedMessage<T>[]

  constructor(
    batch: Batch,
    contents: { readonly settlement: Settlement; readonly open: Map<ReceivedMessage<T>, Delivery> },
  ) {
    this.#batch = batch
    this.#settlement = contents.settlement
    this.#open = contents.open
    this.#messages = [...contents.open.keys()]
  }

  get partition(): number {
    return this.#batch.partition
  }

  /** Messages it came with. */
  get size(): number {
    return this.#messages.length
  }

  *[Symbol.iterator](): Iterator<ReceivedMessage<T>> {
    for (const message of this.#messages) if (this.#open.has(message)) yield message
  }

  /** It failed: counts, comes again after a delay. Later messages of its key in this batch are released behind it. */
  retry(message: ReceivedMessage<T>, options?: SettleOptions): void {
    this.#settle(message, 'retry', options)
  }

  /** It was not tried: comes again and does not count. Later messages of its key are released with it. */
  release(message: ReceivedMessage<T>): void {
    this.#settle(message, 'release')
  }

  /** No retry can mend it: to the dead letters. */
  dead(message: ReceivedMessage<T>, options?: SettleOptions): void {
    this.#settle(message, 'dead', options)
  }

  #settle(message: ReceivedMessage<T>, how: Verdict, options?: SettleOptions): void {
    const delivery = this.#open.get(message)
    if (delivery === undefined) {
      throw new SkeinError('bad-argument', `Cannot ${how} this message: it is not of this batch, or settled already`)
    }
    this.#open.delete(message)
    this.#settlement.settle([delivery], how, options)
    if (how !== 'dead') this.#releaseBehind(message)
  }

  #releaseBehind(message: ReceivedMessage<T>): void {
    const key = message.key ?? message.subject
    const behind: Delivery[] = []
    for (const later of this.#messages.slice(this.#messages.indexOf(message) + 1)) {
      const delivery = this.#open.get(later)
      if (delivery === undefined || (later.key ?? later.subject) !== key) continue
      this.#open.delete(later)
      behind.push(delivery)
    }
    this.#settlement.settle(behind, 'release')
  }
}
