import type { Batch, Delivery, Reader } from '../bus/index.ts'

/** The end of each partition as it was at the start, and whether a reader has come there. */
export class EndMarks {
  /** How long to wait for more before asking whether there is more. */
  static readonly pollMs = 250

  /** Partition → the sequence where to stop, exclusive. A partition that was read up to there is taken out. */
  readonly #open = new Map<number, number>()
  readonly #ends: ReadonlyMap<number, number>
  readonly #reader: Reader

  private constructor(reader: Reader, ends: ReadonlyMap<number, number>) {
    this.#reader = reader
    this.#ends = ends
    for (const [partition, end] of ends) if (end > 0) this.#open.set(partition, end)
  }

  static async of(reader: Reader): Promise<EndMarks> {
    const ends = await reader.end()
    return new EndMarks(reader, new Map(ends.map(({ partition, sequence }) => [partition, sequence])))
  }

  /** The deliveries of a batch that were there at the start. */
  within(batch: Batch): readonly Delivery[] {
    const end = this.#ends.get(batch.partition) ?? 0
    if (batch.last.sequence >= end - 1) this.#open.delete(batch.partition)
    if (batch.last.sequence < end) return batch.deliveries
    return batch.deliveries.filter(({ position }) => position.sequence < end)
  }

  get reached(): boolean {
    return this.#open.size === 0
  }

  /**
   * After a read that gave nothing. The last messages of a partition may be none of this reader's (other subjects,
   * expired, compacted away), so the bus is asked whether anything is left.
   */
  async nothingLeft(): Promise<boolean> {
    const lags = await this.#reader.lag()
    return lags.every(({ messages }) => messages === 0)
  }
}
