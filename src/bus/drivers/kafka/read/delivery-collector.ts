import type { RecordCursor } from '../protocol/record-cursor.ts'
import { type DeliverySource, KafkaDelivery } from './kafka-delivery.ts'

/** Gathers what one read gives. */
export class DeliveryCollector {
  readonly deliveries: KafkaDelivery[] = []
  readonly #shared: Omit<DeliverySource, 'cursor'>
  #source: DeliverySource | undefined

  constructor(shared: Omit<DeliverySource, 'cursor'>) {
    this.#shared = shared
  }

  get count(): number {
    return this.deliveries.length
  }

  get first(): number {
    return this.deliveries[0]!.offset
  }

  get last(): number {
    return this.deliveries.at(-1)!.offset
  }

  add(cursor: RecordCursor, attempt: number): void {
    let source = this.#source
    if (source === undefined || source.cursor !== cursor) {
      source = { ...this.#shared, cursor }
      this.#source = source
    }
    this.deliveries.push(new KafkaDelivery(source, attempt))
  }

  offsets(): number[] {
    return this.deliveries.map((delivery) => delivery.offset)
  }
}
