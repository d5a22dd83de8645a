import { BATCH_HEADER_BYTES, bodyCrcOf, writeBatchHeader } from './batch-header.ts'
import type { AppendDurability, Appended, BatchStamp, LogBatch } from './log.ts'
import type { EncodedRecords } from './record.ts'
import type { SegmentHeader } from './segment-header.ts'

/** One append that waits for its group. */
export interface Pending {
  readonly records: EncodedRecords
  readonly stamp: BatchStamp
  readonly durability: AppendDurability
  readonly resolve: (appended: Appended) => void
  readonly reject: (error: unknown) => void
}

/** Where a group goes. */
export interface Place {
  readonly segment: SegmentHeader
  /** Position in the segment's file. */
  readonly at: number
  readonly nextOffset: number
  readonly provenEnd: number
  readonly appendedAtMs: number
}

/** A group ready to be written: batches one behind the other, never merged. */
export interface Group {
  readonly buffers: readonly Uint8Array[]
  readonly bytes: number
  readonly appended: readonly Appended[]
  /** Where each batch begins in the segment's file. */
  readonly positions: readonly number[]
  /** The batches in memory of our own, when the group is small. */
  readonly batches: readonly LogBatch[] | undefined
}

/** Up to here a group is copied into one buffer: cheaper than many pieces, and the newest readers get it from there. */
const COPIED_BYTES_MAX = 32 * 1024

export function bytesOf(pending: Pending): number {
  return BATCH_HEADER_BYTES + pending.records.byteLength
}

export function assembleGroup(group: readonly Pending[], place: Place): Group {
  const bytes = group.reduce((sum, pending) => sum + bytesOf(pending), 0)
  const headers = Buffer.allocUnsafe(group.length * BATCH_HEADER_BYTES)
  const appended: Appended[] = []
  const positions: number[] = []
  const buffers: Uint8Array[] = []
  let at = place.at
  let nextOffset = place.nextOffset
  for (const [index, pending] of group.entries()) {
    const { records } = pending
    const lastOffset = nextOffset + records.count - 1
    const header = headers.subarray(index * BATCH_HEADER_BYTES, (index + 1) * BATCH_HEADER_BYTES)
    writeBatchHeader(header, 0, {
      bodyBytes: records.byteLength,
      bodyCrc: bodyCrcOf(records.parts),
      count: records.count,
      baseOffset: nextOffset,
      lastOffset,
      stamp: pending.stamp,
      segmentId: place.segment.id,
      position: place.segment.startPosition + at,
      provenEnd: place.provenEnd,
      firstTimestampMs: records.firstTimestampMs,
      lastTimestampMs: records.lastTimestampMs,
      appendedAtMs: place.appendedAtMs,
    })
    buffers.push(header, ...records.parts)
    appended.push({ baseOffset: nextOffset, lastOffset, appendedAtMs: place.appendedAtMs })
    positions.push(at)
    at += bytesOf(pending)
    nextOffset = lastOffset + 1
  }
  if (bytes > COPIED_BYTES_MAX) return { buffers, bytes, appended, positions, batches: undefined }
  const copy = Buffer.concat(buffers, bytes)
  return { buffers: [copy], bytes, appended, positions, batches: batchesIn(copy, group, appended) }
}

function batchesIn(copy: Buffer, group: readonly Pending[], appended: readonly Appended[]): LogBatch[] {
  let at = 0
  return group.map((pending, index) => {
    const bytes = copy.subarray(at, at + bytesOf(pending))
    at += bytes.byteLength
    return {
      ...appended[index]!,
      count: pending.records.count,
      stamp: pending.stamp,
      firstTimestampMs: pending.records.firstTimestampMs,
      lastTimestampMs: pending.records.lastTimestampMs,
      bytes,
      body: bytes.subarray(BATCH_HEADER_BYTES),
    }
  })
}
