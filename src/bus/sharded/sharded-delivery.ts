import type { Batch, Delivery, Headers, Position } from '../message.ts'
import type { Part } from './generations.ts'
import { outerPartition } from './sharded-topic.ts'

/** A delivery of a part, under the names and places of the whole topic. */
export class ShardedDelivery implements Delivery {
  readonly inner: Delivery
  readonly topic: string
  readonly position: Position
  readonly #prefix: string

  constructor(inner: Delivery, topic: string, part: Part) {
    this.inner = inner
    this.topic = topic
    this.#prefix = part.prefix
    this.position = outerPosition(inner.position, part)
  }

  get subject(): string {
    return this.inner.subject.slice(this.#prefix.length)
  }

  get key(): string | undefined {
    return this.inner.key
  }

  get value(): Uint8Array | null {
    return this.inner.value
  }

  text(): string {
    return this.inner.text()
  }

  get headers(): Headers {
    return this.inner.headers
  }

  get id(): string | undefined {
    return this.inner.id
  }

  get timestampMs(): number {
    return this.inner.timestampMs
  }

  get appendedAtMs(): number {
    return this.inner.appendedAtMs
  }

  get attempt(): number {
    return this.inner.attempt
  }
}

export function outerPosition({ partition, sequence }: Position, part: Part): Position {
  return { partition: outerPartition(part, partition), sequence }
}

/** A part that is called and counted as the whole topic is: the first generation of an undivided topic. */
function isSame({ prefix, firstPartition }: Part): boolean {
  return prefix === '' && firstPartition === 0
}

export function outerBatch(batch: Batch, topic: string, part: Part): Batch {
  if (isSame(part)) return batch
  return {
    topic,
    partition: outerPartition(part, batch.partition),
    generation: batch.generation,
    deliveries: batch.deliveries.map((delivery) => new ShardedDelivery(delivery, topic, part)),
    last: outerPosition(batch.last, part),
  }
}

export function innerDelivery(delivery: Delivery): Delivery {
  return delivery instanceof ShardedDelivery ? delivery.inner : delivery
}
