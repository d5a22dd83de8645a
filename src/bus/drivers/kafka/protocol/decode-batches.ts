import { SkeinError } from '../../../../core/index.ts'
import { AbortedBatches } from './aborted-batches.ts'
import { BATCH_HEAD_BYTES } from './batch-encoder.ts'
import { type BatchHead, type Crc32c, isIntact, readBatchHead } from './batch-head.ts'
import type { Compressor } from './compression.ts'
import type { FetchedPartition } from './fetch-request.ts'
import type { RecordSource } from './record-cursor.ts'

/** A stored batch, decompressed. One of no records that are to be given still moves the position. */
export interface FetchedBatch extends RecordSource {
  readonly lastOffset: number
}

const NOTHING = Buffer.alloc(0)
const ABORT = 0

/**
 * The batches of one fetched partition: checked, decompressed, those of aborted transactions and markers emptied. Rejects
 * with `corrupt` for a batch whose checksum does not hold, `details.resumeOffset` being behind it.
 */
export async function decodeBatches(
  fetched: FetchedPartition,
  tools: { readonly topic: string; readonly compressor: Compressor; readonly crc32c: Crc32c },
): Promise<readonly FetchedBatch[]> {
  const { bytes, aborted } = fetched
  const filter = new AbortedBatches(aborted)
  const batches: FetchedBatch[] = []
  for (let at = 0; ; ) {
    const head = readBatchHead(bytes, at)
    if (head === undefined) return batches
    if (!isIntact(bytes, at, head, tools.crc32c)) {
      // What is whole before it is given first.
      if (batches.length > 0) return batches
      throw corrupt(tools.topic, fetched.partition, head)
    }
    const records = bytes.subarray(at + BATCH_HEAD_BYTES, at + head.byteLength)
    const isAbort = head.isControl && readsAbort(records)
    const isEmpty = filter.isAborted({ ...head, isAbort }) || head.isControl
    const decoded = isEmpty ? NOTHING : await tools.compressor.decompress(records, head.compression)
    batches.push({
      topic: tools.topic,
      bytes: decoded,
      baseOffset: head.baseOffset,
      lastOffset: head.lastOffset,
      count: isEmpty ? 0 : head.count,
      firstTimestampMs: head.firstTimestampMs,
      maxTimestampMs: head.maxTimestampMs,
      hasAppendTime: head.hasAppendTime,
    })
    at += head.byteLength
  }
}

/** A control record's key is its version and its kind, two bytes each, behind a head of single bytes. */
function readsAbort(records: Buffer): boolean {
  // Length, attributes, timestamp delta, offset delta, key length: one byte each in a marker.
  return records.length >= 9 && records.readInt16BE(7) === ABORT
}

function corrupt(topic: string, partition: number, head: BatchHead): SkeinError {
  return new SkeinError(
    'corrupt',
    `Cannot read partition ${partition} of "${topic}" from offset ${head.baseOffset} to ${head.lastOffset}: the checksum does not hold`,
    { details: { topic, partition, offset: head.baseOffset, resumeOffset: head.lastOffset + 1 } },
  )
}
