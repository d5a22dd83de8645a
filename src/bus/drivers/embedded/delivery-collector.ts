import type { LogBatch } from '../../../log/index.ts'
import { type DeliverySource, StoredDelivery } from '../../kit/index.ts'
import type { Collector, OpenBatch } from './collector.ts'

/** Gathers light deliveries over the stored bytes. */
export class DeliveryCollector implements Collector {
  readonly deliveries: StoredDelivery[] = []
  readonly #shared: Omit<DeliverySource, 'appendedAtMs' | 'cursor'>
  #source: DeliverySource | undefined

  constructor(shared: Omit<DeliverySource, 'appendedAtMs' | 'cursor'>) {
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

  addRecord(open: OpenBatch, attempt: number): void {
    const { cursor } = open
    let source = this.#source
    if (source === undefined || source.cursor !== cursor) {
      source = { ...this.#shared, appendedAtMs: open.batch.appendedAtMs, cursor }
      this.#source = source
    }
    this.deliveries.push(new StoredDelivery(source, cursor.offset, attempt))
  }

  addBatch(_batch: LogBatch): boolean {
    return false
  }

  offsets(): number[] {
    return this.deliveries.map((delivery) => delivery.offset)
  }
}
