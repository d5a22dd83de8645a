import type { Batch, Delivery, Message } from '../../bus/index.ts'

/** What goes to the target in one write: messages and the deliveries they were made of, by the same indexes. */
export class Chunk {
  readonly batches: readonly Batch[]
  messages: Message[] = []
  deliveries: Delivery[] = []
  readonly #lost = new Set<number>()
  readonly #unmoved = new Set<number>()

  constructor(batches: readonly Batch[]) {
    this.batches = batches
  }

  add(message: Message, delivery: Delivery): void {
    this.messages.push(message)
    this.deliveries.push(delivery)
  }

  /** Partitions that went to another process: what is not stored yet is left to it. */
  lose(partitions: readonly number[]): void {
    for (const partition of partitions) this.#lost.add(partition)
  }

  /** Whether messages of the partition were left to another process. */
  hasLeft(partition: number): boolean {
    return this.#unmoved.has(partition)
  }

  /** Leaves out what is settled, and what is not ours any more. */
  keep(isLeft: (index: number) => boolean): void {
    const messages: Message[] = []
    const deliveries: Delivery[] = []
    for (const [index, delivery] of this.deliveries.entries()) {
      if (!isLeft(index)) continue
      const { partition } = delivery.position
      if (this.#lost.has(partition)) this.#unmoved.add(partition)
      else {
        messages.push(this.messages[index]!)
        deliveries.push(delivery)
      }
    }
    this.messages = messages
    this.deliveries = deliveries
  }
}
