import { crc32 } from 'node:zlib'
import type { Entry, EntryKind } from '../../../src/raft/index.ts'

/** What a frame of the log holds: where the log begins, entries, a commit index. */
export type WalRecord =
  | { readonly type: 'start'; readonly index: number; readonly term: number }
  | { readonly type: 'entry'; readonly entry: Entry }
  | { readonly type: 'commit'; readonly commit: number }

export interface Frame {
  readonly position: number
  readonly end: number
  /** From 0 in each file, one more for each frame. */
  readonly sequence: number
  /** How much of the file was known to be durable when this frame was written. */
  readonly provenEnd: number
  readonly records: readonly WalRecord[]
}

export interface FrameScan {
  readonly frames: readonly Frame[]
  /** Where the last whole frame ends. */
  readonly end: number
  /** The greatest proven end that any whole frame speaks of, those behind a gap included. */
  readonly provenEnd: number
}

const MAGIC = 0x52414654
const HEADER_BYTES = 28
const ENTRY_KINDS: readonly EntryKind[] = ['command', 'config', 'empty']
const TYPES = { start: 0, entry: 1, commit: 2 } as const

/** One group of records that a crash leaves whole or not at all: a checksummed header and a checksummed body. */
export function encodeFrame(
  records: readonly WalRecord[],
  place: { readonly sequence: number; readonly provenEnd: number },
): Uint8Array {
  let size = HEADER_BYTES
  for (const record of records) size += sizeOf(record)
  const bytes = new Uint8Array(size)
  const view = new DataView(bytes.buffer)
  let at = HEADER_BYTES
  for (const record of records) at = writeRecord(record, { bytes, view, at })
  view.setUint32(0, MAGIC)
  view.setUint32(8, size)
  view.setUint32(12, place.sequence)
  view.setUint32(16, place.provenEnd)
  view.setUint32(20, records.length)
  view.setUint32(24, crc32(bytes.subarray(HEADER_BYTES)))
  view.setUint32(4, crc32(bytes.subarray(8, HEADER_BYTES)))
  return bytes
}

/** Reads whole frames from `from`; `sequence` is what the first of them must bear. */
export function readFrames(bytes: Uint8Array, from = 0, sequence = 0): Frame[] {
  const frames: Frame[] = []
  let position = from
  for (let frame = frameAt(bytes, position); frame !== undefined; frame = frameAt(bytes, position)) {
    if (frame.sequence !== sequence + frames.length) break
    frames.push(frame)
    position = frame.end
  }
  return frames
}

/** Reads a whole file, and looks behind the first damage for proof of what must have been there. */
export function scanFrames(bytes: Uint8Array): FrameScan {
  const frames = readFrames(bytes)
  const end = frames.at(-1)?.end ?? 0
  let provenEnd = frames.at(-1)?.provenEnd ?? 0
  for (let at = end; at + HEADER_BYTES <= bytes.length; at += 1) {
    provenEnd = Math.max(provenEnd, headerAt(bytes, at)?.provenEnd ?? 0)
  }
  return { frames, end, provenEnd }
}

interface Header {
  readonly size: number
  readonly sequence: number
  readonly provenEnd: number
  readonly count: number
  readonly bodyCrc: number
}

function headerAt(bytes: Uint8Array, at: number): Header | undefined {
  if (bytes[at] !== MAGIC >>> 24 || at + HEADER_BYTES > bytes.length) return undefined
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, HEADER_BYTES)
  if (view.getUint32(0) !== MAGIC) return undefined
  if (view.getUint32(4) !== crc32(bytes.subarray(at + 8, at + HEADER_BYTES))) return undefined
  return {
    size: view.getUint32(8),
    sequence: view.getUint32(12),
    provenEnd: view.getUint32(16),
    count: view.getUint32(20),
    bodyCrc: view.getUint32(24),
  }
}

function frameAt(bytes: Uint8Array, position: number): Frame | undefined {
  const header = headerAt(bytes, position)
  const end = position + (header?.size ?? 0)
  if (header === undefined || end > bytes.length) return undefined
  const body = bytes.subarray(position + HEADER_BYTES, end)
  if (crc32(body) !== header.bodyCrc) return undefined
  const { sequence, provenEnd } = header
  return { position, end, sequence, provenEnd, records: readRecords(body, header.count) }
}

function sizeOf(record: WalRecord): number {
  if (record.type === 'entry') return 14 + record.entry.data.length
  return record.type === 'start' ? 9 : 5
}

interface Target {
  readonly bytes: Uint8Array
  readonly view: DataView
  readonly at: number
}

function writeRecord(record: WalRecord, { bytes, view, at }: Target): number {
  view.setUint8(at, TYPES[record.type])
  if (record.type === 'commit') {
    view.setUint32(at + 1, record.commit)
    return at + 5
  }
  const { index, term } = record.type === 'entry' ? record.entry : record
  view.setUint32(at + 1, index)
  view.setUint32(at + 5, term)
  if (record.type === 'start') return at + 9
  const { kind, data } = record.entry
  view.setUint8(at + 9, ENTRY_KINDS.indexOf(kind))
  view.setUint32(at + 10, data.length)
  bytes.set(data, at + 14)
  return at + 14 + data.length
}

function readRecords(body: Uint8Array, count: number): WalRecord[] {
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength)
  const records: WalRecord[] = []
  let at = 0
  for (let left = count; left > 0; left -= 1) {
    const type = view.getUint8(at)
    if (type === TYPES.commit) {
      records.push({ type: 'commit', commit: view.getUint32(at + 1) })
      at += 5
      continue
    }
    const index = view.getUint32(at + 1)
    const term = view.getUint32(at + 5)
    at += 9
    if (type === TYPES.start) {
      records.push({ type: 'start', index, term })
      continue
    }
    const length = view.getUint32(at + 1)
    const kind = ENTRY_KINDS[view.getUint8(at)]!
    records.push({ type: 'entry', entry: { index, term, kind, data: body.slice(at + 5, at + 5 + length) } })
    at += 5 + length
  }
  return records
}
