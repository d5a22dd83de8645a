import { crc32 } from 'node:zlib'
import { SkeinError } from '../core/index.ts'
import { readInteger, writeInteger } from './integers.ts'

export const SEGMENT_HEADER_BYTES = 64
const SEGMENT_VERSION = 1
const MAGIC = 0x534e4b53
const VERSION_AT = 4
const HEADER_BYTES_AT = 6
const CRC_AT = 8
const FLAGS_AT = 12
const ID_AT = 16
const BASE_OFFSET_AT = 24
const START_POSITION_AT = 32
const CREATED_AT = 40
const END_OFFSET_AT = 48
const FILE_BYTES_AT = 56
const FLAG_COMPACTED = 1

/** The first bytes of a segment's file. */
export interface SegmentHeader {
  /** Unique within the log: a batch that names another segment is not of this file. */
  readonly id: number
  readonly baseOffset: number
  /** Where the file begins in the log, counted in bytes over all segments that there ever were. */
  readonly startPosition: number
  /** Not before the append of any earlier batch. */
  readonly createdAtMs: number
  /** Set in a segment that compaction wrote as a whole: the offsets it stands for end here, its bytes there. */
  readonly compacted: { readonly endOffset: number; readonly fileBytes: number } | undefined
}

export function encodeSegmentHeader(header: SegmentHeader): Buffer {
  const bytes = Buffer.alloc(SEGMENT_HEADER_BYTES)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  view.setUint32(0, MAGIC, true)
  view.setUint16(VERSION_AT, SEGMENT_VERSION, true)
  view.setUint16(HEADER_BYTES_AT, SEGMENT_HEADER_BYTES, true)
  view.setUint32(FLAGS_AT, header.compacted === undefined ? 0 : FLAG_COMPACTED, true)
  writeInteger(view, ID_AT, header.id)
  writeInteger(view, BASE_OFFSET_AT, header.baseOffset)
  writeInteger(view, START_POSITION_AT, header.startPosition)
  writeInteger(view, CREATED_AT, header.createdAtMs)
  writeInteger(view, END_OFFSET_AT, header.compacted?.endOffset ?? 0)
  writeInteger(view, FILE_BYTES_AT, header.compacted?.fileBytes ?? 0)
  view.setUint32(CRC_AT, headerCrc(bytes), true)
  return bytes
}

/** Undefined when the bytes are no intact header. Throws `future-version` for an intact one of a later version. */
export function decodeSegmentHeader(bytes: Buffer, file: string): SegmentHeader | undefined {
  if (bytes.byteLength < SEGMENT_HEADER_BYTES) return undefined
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const length = view.getUint16(HEADER_BYTES_AT, true)
  if (view.getUint32(0, true) !== MAGIC || length < SEGMENT_HEADER_BYTES || length > bytes.byteLength) return undefined
  if (headerCrc(bytes.subarray(0, length)) !== view.getUint32(CRC_AT, true)) return undefined
  const version = view.getUint16(VERSION_AT, true)
  if (version > SEGMENT_VERSION) throw futureVersion(`segment ${file}`, version, SEGMENT_VERSION)
  const isCompacted = (view.getUint32(FLAGS_AT, true) & FLAG_COMPACTED) !== 0
  return {
    id: readInteger(view, ID_AT),
    baseOffset: readInteger(view, BASE_OFFSET_AT),
    startPosition: readInteger(view, START_POSITION_AT),
    createdAtMs: readInteger(view, CREATED_AT),
    compacted: isCompacted
      ? { endOffset: readInteger(view, END_OFFSET_AT), fileBytes: readInteger(view, FILE_BYTES_AT) }
      : undefined,
  }
}

export function futureVersion(what: string, version: number, known: number): SkeinError {
  const message = `Cannot open ${what}: its header says version ${version}, this build reads up to ${known}; use a newer Skein`
  return new SkeinError('future-version', message, { details: { what, version, known } })
}

function headerCrc(header: Uint8Array): number {
  return crc32(header.subarray(CRC_AT + 4), crc32(header.subarray(0, CRC_AT)))
}
