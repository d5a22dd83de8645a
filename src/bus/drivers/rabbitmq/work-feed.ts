import type { ConsumeMessage } from 'amqplib'
import { UnsupportedError } from '../../../core/index.ts'
import { headerOf, originOf } from './amqp-delivery.ts'
import { Repeats } from './repeats.ts'
import type { GroupFeed } from './share-source.ts'

/** Quorum queues count there how often a message came back. */
const COUNT_HEADER = 'x-delivery-count'

/** What a work queue has sent over one channel and was not taken yet: as much as its prefetch lets through. */
export class WorkFeed implements GroupFeed {
  readonly partition: number
  /** The offset of the first message of this channel. */
  readonly base: number
  /** Messages that came over this channel. */
  received = 0
  readonly #on: { readonly changed: () => void; readonly taken: () => void }
  readonly #repeats = new Repeats()
  readonly #repeated = new Set<number>()
  #buffer: ConsumeMessage[] = []
  #head = 0

  constructor(
    place: { readonly partition: number; readonly base: number },
    on: { readonly changed: () => void; readonly taken: () => void },
  ) {
    this.partition = place.partition
    this.base = place.base
    this.#on = on
  }

  /** One past the last offset that came. */
  get end(): number {
    return this.base + this.received
  }

  /**
   * What a writer sent twice is given once, as far as this channel has seen it. What was given to somebody before comes back
   * in front of what is newer, so that its numbers prove nothing.
   */
  push(message: ConsumeMessage): void {
    this.received += 1
    const isRepeat = this.#repeats.isRepeat(originOf(message))
    if (isRepeat && !message.fields.redelivered) this.#repeated.add(message.fields.deliveryTag)
    this.#buffer.push(message)
    if (this.#buffer.length - this.#head === 1) this.#on.changed()
  }

  get hasMore(): boolean {
    return this.#head < this.#buffer.length
  }

  get hasMessage(): boolean {
    return this.hasMore
  }

  peek(): ConsumeMessage | undefined {
    return this.#buffer[this.#head]
  }

  isRepeat(message: ConsumeMessage): boolean {
    return this.#repeated.has(message.fields.deliveryTag)
  }

  shift(): void {
    this.#repeated.delete(this.#buffer[this.#head]!.fields.deliveryTag)
    this.#head += 1
    if (this.#head < this.#buffer.length) return
    this.#buffer = []
    this.#head = 0
  }

  /** What was passed over is to be acknowledged, or the prefetch would fill with it. */
  credit(): void {
    this.#on.taken()
  }

  moveTo(): void {
    throw noReplay()
  }

  close(): void {
    this.#buffer = []
    this.#head = 0
  }

  /** A channel numbers what comes over it from 1. */
  offsetOf(message: ConsumeMessage): number {
    return this.base + message.fields.deliveryTag - 1
  }

  triesOf(message: ConsumeMessage): number {
    return Number(headerOf(message, COUNT_HEADER) ?? 0)
  }
}

export function noReplay(): UnsupportedError {
  return new UnsupportedError('replay', 'a work queue forgets what is done, and has no positions')
}
