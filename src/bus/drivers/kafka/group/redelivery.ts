import type { HeldMessage } from '../../../kit/index.ts'
import type { Cluster } from '../cluster.ts'
import type { FetchedBatch } from '../protocol/decode-batches.ts'
import { RecordCursor } from '../protocol/record-cursor.ts'
import type { DeliveryCollector } from '../read/delivery-collector.ts'
import { isExpired } from '../read/feed.ts'
import { readBatches } from '../read/read-once.ts'

export interface Redelivery {
  readonly topic: string
  readonly partition: number
  readonly due: readonly HeldMessage[]
  readonly collector: DeliveryCollector
  readonly ttlMs: number | undefined
}

/**
 * Reads held messages again and puts them into the collector. The offsets that are not to be given come back: expired, or
 * gone by retention or compaction.
 */
export async function collectHeld(cluster: Cluster, redelivery: Redelivery): Promise<number[]> {
  const { topic, partition, due, collector, ttlMs } = redelivery
  const missing: number[] = []
  let batches: readonly FetchedBatch[] = []
  let cursor: RecordCursor | undefined
  for (const message of due) {
    const { offset } = message
    if (!batches.some((batch) => holds(batch, offset)))
      batches = await readBatches(cluster, { topic, partition, offset })
    const batch = batches.find((one) => holds(one, offset))
    if (batch === undefined) {
      missing.push(offset)
      continue
    }
    if (cursor?.source !== batch) cursor = new RecordCursor(batch)
    while (cursor.offset < offset && cursor.next()) {}
    if (cursor.offset === offset && !isExpired(cursor, ttlMs, cluster.clock.nowMs()))
      collector.add(cursor, message.attempts + 1)
    else missing.push(offset)
  }
  return missing
}

function holds(batch: FetchedBatch, offset: number): boolean {
  return batch.baseOffset <= offset && offset <= batch.lastOffset
}

/** The record at an offset; undefined when it is gone. */
export async function readRecord(
  cluster: Cluster,
  at: { readonly topic: string; readonly partition: number; readonly offset: number },
): Promise<RecordCursor | undefined> {
  const batch = (await readBatches(cluster, at)).find((one) => holds(one, at.offset))
  if (batch === undefined) return undefined
  const cursor = new RecordCursor(batch)
  while (cursor.next()) if (cursor.offset === at.offset) return cursor
  return undefined
}
