import type { Batch, Delivery, SettleOptions } from '../../bus/index.ts'
import { SkeinError } from '../../core/index.ts'
import type { HeldKeys } from './held-keys.ts'
import type { ReceivedMessage } from './received-message.ts'
import { orderKeyOf, type Settlement, type Verdict } from './settlement.ts'

/** A batch as it was read: its messages that are not settled yet, each with what it was delivered in. */
export interface BatchInHand<T> {
  readonly batch: Batch
  readonly settlement: Settlement
  /** Of its partition. */
  readonly held: HeldKeys
  /** Several deliveries where a message came in chunks. */
  readonly open: Map<ReceivedMessage<T>, readonly Delivery[]>
}

/**
 * Messages of one partition, for a loop. Asking for the next batch acknowledges this one. Iterating over it skips what
 * was settled meanwhile, so that after `retry(message)` later messages of that key are not seen too early.
 */
export class ConsumedBatch<T> {
  readonly #inHand: BatchInHand<T>
  readonly #messages: readonly ReceivedMessage<T>[]

  constructor(inHand: BatchInHand<T>) {
    this.#inHand = inHand
    this.#messages = [...inHand.open.keys()]
  }

  get partition(): number {
    return this.#inHand.batch.partition
  }

  /** Messages it came with. */
  get size(): number {
    return this.#messages.length
  }

  *[Symbol.iterator](): Iterator<ReceivedMessage<T>> {
    for (const message of this.#messages) if (this.#inHand.open.has(message)) yield message
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
    const { open, held } = this.#inHand
    const deliveries = open.get(message)
    if (deliveries === undefined) {
      throw new SkeinError('bad-argument', `Cannot ${how} this message: it is not of this batch, or settled already`)
    }
    if (how !== 'dead') held.hold(orderKeyOf(message), deliveries.at(-1)!.position.sequence)
    this.#giveBack(message, how, options)
    if (how !== 'dead') this.#releaseBehind(message)
  }

  #releaseBehind(message: ReceivedMessage<T>): void {
    const { open, held } = this.#inHand
    const key = orderKeyOf(message)
    for (const later of this.#messages.slice(this.#messages.indexOf(message) + 1)) {
      const deliveries = open.get(later)
      if (deliveries === undefined || orderKeyOf(later) !== key) continue
      for (const { position } of deliveries) held.holdsBack(key, position.sequence)
      this.#giveBack(later, 'release')
    }
  }

  #giveBack(message: ReceivedMessage<T>, how: Verdict, options: SettleOptions = {}): void {
    const { open, settlement } = this.#inHand
    const deliveries = open.get(message)!
    open.delete(message)
    settlement.settle(deliveries, how, together(deliveries, how, options))
  }
}

/** Chunks must come due in one moment: each waits for those before it, which wait for the whole. */
export function together(deliveries: readonly Delivery[], how: Verdict, options: SettleOptions): SettleOptions {
  return deliveries.length > 1 && how === 'retry' ? { ...options, delayMs: 0 } : options
}
