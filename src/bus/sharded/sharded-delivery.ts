import type { Batch, Delivery, Headers, Position } from '../message.ts'
import type { Part } from './generations.ts'
import { outerPartition } from './sharded-topic.ts'

/** A delivery of a part, under the names and places of the whole topic. */
export class ShardedDelivery implements Delivery {
  readonly inner: Delivery
  readonly topic: string
  readonly position: Position
  readonly #part: Part

  constructor(inner: Delivery, topic: string, part: Part) {
    this.inner = inner
    this.topic = topic
    this.#part = part
    this.position = outerPosition(inner.position, part)
  }

  get subject(): string {
    return (this.#part.outerPrefix ?? '') + this.inner.subject.slice(this.#part.prefix.length)
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
function isSame({ prefix, outerPrefix = '', firstPartition }: Part): boolean {
  return prefix === outerPrefix && firstPartition === 0
}

export type Outer = (delivery: Delivery, topic: string, part: Part) => Delivery

const shardedDelivery: Outer = (delivery, topic, part) => new ShardedDelivery(delivery, topic, part)

export function outerBatch(
  batch: Batch,
  at: { readonly topic: string; readonly part: Part; readonly outer?: Outer },
): Batch {
  const { topic, part, outer = shardedDelivery } = at
  if (isSame(part)) return batch
  return {
    topic,
    partition: outerPartition(part, batch.partition),
    generation: batch.generation,
    deliveries: batch.deliveries.map((delivery) => outer(delivery, topic, part)),
    last: outerPosition(batch.last, part),
  }
}

export function innerDelivery(delivery: Delivery): Delivery {
  return delivery instanceof ShardedDelivery ? delivery.inner : delivery
}
