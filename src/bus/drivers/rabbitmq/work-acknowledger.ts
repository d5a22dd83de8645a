import type { Channel, Message } from 'amqplib'
import type { StoredProgress } from '../../kit/index.ts'

/** Acknowledges what is done of what came over one channel, once each. Offsets are delivery tags, from `base` on. */
export class WorkAcknowledger {
  /** Messages acknowledged. */
  count = 0
  readonly #channel: Pick<Channel, 'ack'>
  readonly #base: number
  /** Everything below it is acknowledged. */
  #first: number
  /** Of those above it, these too. */
  readonly #later = new Set<number>()

  constructor(channel: Pick<Channel, 'ack'>, base: number) {
    this.#channel = channel
    this.#base = base
    this.#first = base
  }

  /** Done is what lies below `settled` and is not held. Throws when the channel is gone. */
  acknowledge({ settled, held }: Pick<StoredProgress, 'settled' | 'held'>): void {
    const isHeld = new Set(held.map(([offset]) => offset))
    let run = this.#first
    while (run < settled && !isHeld.has(run)) run += 1
    this.#through(run)
    for (let offset = run + 1; offset < settled; offset += 1) {
      if (isHeld.has(offset) || this.#later.has(offset)) continue
      this.#ack(offset, false)
      this.#later.add(offset)
      this.count += 1
    }
  }

  /** All below an offset at once: the broker wants to be told of one that it still waits for. */
  #through(end: number): void {
    let last = end - 1
    while (last >= this.#first && this.#later.has(last)) last -= 1
    if (last >= this.#first) this.#ack(last, true)
    for (; this.#first < end; this.#first += 1) if (!this.#later.delete(this.#first)) this.count += 1
  }

  #ack(offset: number, allUpTo: boolean): void {
    const fields = { deliveryTag: offset - this.#base + 1 }
    // The library looks at nothing else.
    this.#channel.ack({ fields } as Message, allUpTo)
  }
}
