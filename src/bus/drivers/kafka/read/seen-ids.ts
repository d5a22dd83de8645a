import { IdWindow } from '../../../kit/index.ts'
import type { Cluster } from '../cluster.ts'
import { RecordCursor } from '../protocol/record-cursor.ts'
import { listOffsets } from './list-offsets.ts'
import { readBatches } from './read-once.ts'

const READ_BYTES = 1024 * 1024

/**
 * The ids of one partition that came within the window, by the broker's times of their appends: a record whose id came
 * before it is a repeat. Kafka stores repeats; it is its readers that pass them over.
 */
export class SeenIds {
  readonly #window: IdWindow

  constructor(windowMs: number) {
    this.#window = new IdWindow(windowMs)
  }

  /** Asked of every record, in order; after a seek back the first of an id is the first again. */
  isRepeat(cursor: RecordCursor): boolean {
    const { id } = cursor
    if (id === undefined) return false
    const { appendedAtMs, offset } = cursor
    this.#window.expire(appendedAtMs)
    const first = this.#window.find(id)
    if (first !== undefined) return first < offset
    this.#window.add(id, { offset, atMs: appendedAtMs })
    return false
  }

  /** Reads the ids of the window before an offset: whoever takes a partition over knows what was given before. */
  static async before(
    cluster: Cluster,
    place: { readonly topic: string; readonly partition: number; readonly offset: number; readonly windowMs: number },
  ): Promise<SeenIds> {
    const { topic, partition, windowMs } = place
    const seen = new SeenIds(windowMs)
    const at = { timestampMs: Math.max(0, cluster.clock.nowMs() - windowMs) }
    const found = await listOffsets(cluster, { topic, at, partitions: [partition] })
    for (let offset = found.get(partition)!; offset < place.offset; ) {
      const batches = await readBatches(cluster, { topic, partition, offset, bytesMax: READ_BYTES })
      if (batches.length === 0) break
      for (const batch of batches) {
        const cursor = new RecordCursor(batch)
        while (cursor.next()) if (cursor.offset < place.offset) seen.isRepeat(cursor)
        offset = batch.lastOffset + 1
      }
    }
    return seen
  }
}
