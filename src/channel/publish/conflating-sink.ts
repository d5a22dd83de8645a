import type { Message } from '../../bus/index.ts'
import { SkeinError } from '../../core/index.ts'
import type { MessageSink } from './channel-publisher.ts'
import type { PublishReceipt } from './publish-receipt.ts'
import type { TopicPublisher } from './topic-publisher.ts'

const KEYS_MAX = 10_000

interface Slot {
  message: Message
  valueBytes: number
  readonly resolve: (receipt: PublishReceipt) => void
  readonly reject: (reason: unknown) => void
}

/**
 * Keeps only the newest value of each key while earlier batches are being written. What was replaced resolves as
 * conflated: it never reached the log, and its receipt does not say that it did.
 */
export class ConflatingSink implements MessageSink {
  readonly #topic: string
  readonly #publisher: TopicPublisher
  #slots = new Map<string, Slot>()
  #flushing: Promise<void> | undefined

  constructor(topic: string, publisher: TopicPublisher) {
    this.#topic = topic
    this.#publisher = publisher
  }

  add(message: Message, valueBytes: number): Promise<PublishReceipt> {
    const key = message.key ?? message.subject
    const replaced = this.#slots.get(key)
    if (replaced === undefined && this.#slots.size >= KEYS_MAX) return Promise.reject(this.#overloaded())
    const { promise, resolve, reject } = Promise.withResolvers<PublishReceipt>()
    this.#slots.set(key, { message, valueBytes, resolve, reject })
    replaced?.resolve(this.#conflated())
    this.#flushing ??= this.#flushWhenIdle()
    return promise
  }

  ready(): Promise<void> {
    return this.#publisher.ready()
  }

  /** Resolves when nothing waits here any more: what did is with the publisher. */
  async settled(): Promise<void> {
    await this.#flushing
  }

  async #flushWhenIdle(): Promise<void> {
    await this.#publisher.idle()
    this.#flushing = undefined
    const slots = this.#slots
    this.#slots = new Map()
    for (const slot of slots.values()) {
      this.#publisher.add(slot.message, slot.valueBytes).then(slot.resolve, slot.reject)
    }
  }

  #conflated(): PublishReceipt {
    return {
      topic: this.#topic,
      positions: [],
      accepted: 0,
      duplicates: [],
      conflated: [0],
      durability: 'none',
      asserted: false,
    }
  }

  #overloaded(): SkeinError {
    return new SkeinError('overloaded', `Cannot publish to ${this.#topic}: ${KEYS_MAX} keys wait to be written`, {
      retryable: true,
      details: { topic: this.#topic, keys: KEYS_MAX },
    })
  }
}
