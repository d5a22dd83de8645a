import type { Bus, RequestedDurability, Writer } from '../../bus/index.ts'

const WRITERS_MAX = 1_000

/** One writer per topic and level, shared by all requests; the one unused longest makes room for another. */
export class WriterPool {
  readonly #bus: Bus
  readonly #writers = new Map<string, Writer>()

  constructor(bus: Bus) {
    this.#bus = bus
  }

  /** Rejects with `not-found` when there is no such topic. */
  async take(topic: string, durability: RequestedDurability | undefined): Promise<Writer> {
    await this.#bus.admin.describeTopic(topic)
    const name = `${topic} ${durability ?? ''}`
    const writer = this.#writers.get(name) ?? this.#bus.writer(topic, durability === undefined ? {} : { durability })
    // Taken out and put in again, it is the newest.
    this.#writers.delete(name)
    this.#writers.set(name, writer)
    if (this.#writers.size > WRITERS_MAX) await this.#evictOldest()
    return writer
  }

  async close(): Promise<void> {
    await Promise.all([...this.#writers.values()].map((writer) => writer.drain()))
    this.#writers.clear()
  }

  async #evictOldest(): Promise<void> {
    const [name, writer] = this.#writers.entries().next().value!
    this.#writers.delete(name)
    await writer.drain()
  }
}
