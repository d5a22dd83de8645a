import type { Reader } from './bus.ts'
import type { Batch, Delivery, Position } from './message.ts'

/**
 * The end of each partition as it was when they were made, and whether a reader has come there. A read that gave
 * nothing within its wait says nothing: the network may be slow. Only places do, and the reader's own lag where the last
 * messages before an end are never given.
 */
export class EndMarks {
  /** How long to wait for more before asking whether there is more. */
  static readonly pollMs = 250

  readonly #ends: ReadonlyMap<number, number>
  readonly #reader: Reader
  /** Partition → the sequence where to stop, exclusive. A partition that was read up to there is taken out. */
  readonly #open = new Map<number, number>()

  private constructor(reader: Reader, ends: ReadonlyMap<number, number>) {
    this.#reader = reader
    this.#ends = ends
    for (const [partition, end] of ends) if (end > 0) this.#open.set(partition, end)
  }

  /** `from`: where the reader begins, where that is known. A partition that it does not name is not waited for. */
  static async of(reader: Reader, from?: readonly Position[]): Promise<EndMarks> {
    const ends = await reader.end()
    const marks = new EndMarks(reader, new Map(ends.map(({ partition, sequence }) => [partition, sequence])))
    if (from !== undefined) marks.#begin(new Map(from.map(({ partition, sequence }) => [partition, sequence])))
    return marks
  }

  #begin(from: ReadonlyMap<number, number>): void {
    for (const [partition, end] of this.#ends) {
      if ((from.get(partition) ?? end) >= end) this.#open.delete(partition)
    }
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
   * expired, compacted away), so it is asked whether anything is left.
   */
  async nothingLeft(): Promise<boolean> {
    const lags = await this.#reader.lag()
    for (const { partition, messages } of lags) if (messages === 0) this.#open.delete(partition)
    // What others of a group have is theirs to finish.
    return this.reached || lags.every(({ messages }) => messages === 0)
  }
}

/** The partitions of which a broadcast reader has given everything that it will ever give of what is there now. */
export async function partitionsRead(reader: Reader): Promise<readonly number[]> {
  const lags = await reader.lag()
  return lags.filter(({ messages }) => messages === 0).map(({ partition }) => partition)
}
