import { crc32 } from 'node:zlib'
import { readInteger, writeInteger } from './integers.ts'
import type { BatchStamp } from './log.ts'

export const BATCH_HEADER_BYTES = 104
export const BATCH_VERSION = 1

/** The first bytes of a batch: `SKNB`. */
export const BATCH_MAGIC = Buffer.from('SKNB')
const MAGIC = BATCH_MAGIC.readUInt32LE(0)

const VERSION_AT = 4
const FLAGS_AT = 5
const MARKS_SHIFT = 4
const CODEC_MASK = 0x0f
const HEADER_BYTES_AT = 6
const HEADER_CRC_AT = 8
const BODY_BYTES_AT = 12
const BODY_CRC_AT = 16
const COUNT_AT = 20
const LAST_DELTA_AT = 24
const EPOCH_AT = 28
const SEGMENT_ID_AT = 32
const POSITION_AT = 40
const PROVEN_END_AT = 48
const BASE_OFFSET_AT = 56
const PRODUCER_AT = 64
const SEQUENCE_AT = 72
const FIRST_TIMESTAMP_AT = 80
const LAST_TIMESTAMP_AT = 88
const APPENDED_AT = 96

/** The header of a batch. docs/internals/log.md has it as a table. */
export interface BatchHeader {
  /** False in a batch of a later version or with an unknown codec: only the fields up to `position` can be trusted. */
  readonly isKnown: boolean
  readonly bodyBytes: number
  readonly bodyCrc: number
  readonly count: number
  readonly baseOffset: number
  readonly lastOffset: number
  readonly stamp: BatchStamp
  readonly segmentId: number
  /** Where the batch begins in the log, counted over all segments: a copy elsewhere is none. */
  readonly position: number
  /** Everything before this position of the log had been synced when the batch was written. */
  readonly provenEnd: number
  readonly firstTimestampMs: number
  readonly lastTimestampMs: number
  readonly appendedAtMs: number
}

export function writeBatchHeader(target: Buffer, at: number, header: Omit<BatchHeader, 'isKnown'>): void {
  const view = new DataView(target.buffer, target.byteOffset + at, BATCH_HEADER_BYTES)
  view.setUint32(0, MAGIC, true)
  view.setUint8(VERSION_AT, BATCH_VERSION)
  // The low half of the byte of flags names the codec of the body, none is defined yet; the high half is the writer's.
  view.setUint8(FLAGS_AT, (header.stamp.marks ?? 0) << MARKS_SHIFT)
  view.setUint16(HEADER_BYTES_AT, BATCH_HEADER_BYTES, true)
  view.setUint32(BODY_BYTES_AT, header.bodyBytes, true)
  view.setUint32(BODY_CRC_AT, header.bodyCrc, true)
  view.setUint32(COUNT_AT, header.count, true)
  view.setUint32(LAST_DELTA_AT, header.lastOffset - header.baseOffset, true)
  view.setUint32(EPOCH_AT, header.stamp.epoch, true)
  writeInteger(view, SEGMENT_ID_AT, header.segmentId)
  writeInteger(view, POSITION_AT, header.position)
  writeInteger(view, PROVEN_END_AT, header.provenEnd)
  writeInteger(view, BASE_OFFSET_AT, header.baseOffset)
  writeInteger(view, PRODUCER_AT, header.stamp.producerId)
  writeInteger(view, SEQUENCE_AT, header.stamp.sequence)
  writeInteger(view, FIRST_TIMESTAMP_AT, header.firstTimestampMs)
  writeInteger(view, LAST_TIMESTAMP_AT, header.lastTimestampMs)
  writeInteger(view, APPENDED_AT, header.appendedAtMs)
  view.setUint32(HEADER_CRC_AT, headerCrc(target.subarray(at, at + BATCH_HEADER_BYTES)), true)
}

/** Reads the header at `at`; undefined when the bytes are no intact header. */
export function readBatchHeader(source: Buffer, at: number): BatchHeader | undefined {
  if (at + BATCH_HEADER_BYTES > source.byteLength) return undefined
  const view = new DataView(source.buffer, source.byteOffset + at, BATCH_HEADER_BYTES)
  if (view.getUint32(0, true) !== MAGIC) return undefined
  const bytes = view.getUint16(HEADER_BYTES_AT, true)
  if (bytes < BATCH_HEADER_BYTES || at + bytes > source.byteLength) return undefined
  if (headerCrc(source.subarray(at, at + bytes)) !== view.getUint32(HEADER_CRC_AT, true)) return undefined
  const baseOffset = readInteger(view, BASE_OFFSET_AT)
  return {
    isKnown: view.getUint8(VERSION_AT) <= BATCH_VERSION && (view.getUint8(FLAGS_AT) & CODEC_MASK) === 0,
    bodyBytes: view.getUint32(BODY_BYTES_AT, true),
    bodyCrc: view.getUint32(BODY_CRC_AT, true),
    count: view.getUint32(COUNT_AT, true),
    baseOffset,
    lastOffset: baseOffset + view.getUint32(LAST_DELTA_AT, true),
    stamp: {
      producerId: readInteger(view, PRODUCER_AT),
      sequence: readInteger(view, SEQUENCE_AT),
      epoch: view.getUint32(EPOCH_AT, true),
      marks: view.getUint8(FLAGS_AT) >> MARKS_SHIFT,
    },
    segmentId: readInteger(view, SEGMENT_ID_AT),
    position: readInteger(view, POSITION_AT),
    provenEnd: readInteger(view, PROVEN_END_AT),
    firstTimestampMs: readInteger(view, FIRST_TIMESTAMP_AT),
    lastTimestampMs: readInteger(view, LAST_TIMESTAMP_AT),
    appendedAtMs: readInteger(view, APPENDED_AT),
  }
}

export function bodyCrcOf(parts: readonly Uint8Array[]): number {
  let crc = 0
  for (const part of parts) crc = crc32(part, crc)
  return crc
}

/** Covers the whole header but its own four bytes, which stand at the same place in every version. */
function headerCrc(header: Uint8Array): number {
  const before = crc32(header.subarray(0, HEADER_CRC_AT))
  return crc32(header.subarray(HEADER_CRC_AT + 4), before)
}
