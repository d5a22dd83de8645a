import { BufferPool, SkeinError } from '../core/index.ts'
import type { EncodedRecords, RecordInput } from './record.ts'
import {
  FLAG_TOMBSTONE,
  HEADERS_BYTES_MAX,
  HEADERS_LENGTH_AT,
  KEY_BYTES_MAX,
  KEY_LENGTH_AT,
  NO_KEY,
  OFFSET_DELTA_AT,
  RECORD_HEADER_BYTES,
  SUBJECT_AT,
  SUBJECT_INDEX_MAX,
  TABLE_HEADER_BYTES,
  TIMESTAMP_DELTA_AT,
} from './record-layout.ts'
import { type TextBuffer, textBuffer, writeText } from './text.ts'

export interface RecordBatchBuilderOptions {
  /** Memory taken for the first batch; it grows by itself. Default 16 KiB. */
  readonly initialBytes?: number
  /** Where memory is taken from; whoever has no more use for a body gives its `memory` back. Default: none is kept. */
  readonly pool?: BufferPool
}

const UNPOOLED = new BufferPool(0)
const EMPTY = Buffer.alloc(0) as unknown as TextBuffer
// Below this a text's bytes are bounded by three per character; above it they are counted first.
const COUNTED_TEXT_LENGTH = 16 * 1024

/**
 * Encodes records into the body of a batch. Nothing is allocated per record: bytes go straight into one slab, constant
 * headers are encoded once, a subject once per batch. Use one builder for one batch after the other.
 */
export class RecordBatchBuilder {
  #slab: TextBuffer
  #view: DataView
  #used = 0
  #count = 0
  #firstTimestampMs = 0
  #lastTimestampMs = 0
  readonly #subjects = new Map<string, number>()
  #lastSubject: string | undefined
  #lastSubjectIndex = 0
  #subjectBytes = 0
  #headersGiven: Readonly<Record<string, string>> | undefined
  #headersBytes: TextBuffer = EMPTY
  #bytesWanted: number
  readonly #pool: BufferPool

  constructor(options: RecordBatchBuilderOptions = {}) {
    this.#bytesWanted = options.initialBytes ?? 16 * 1024
    this.#pool = options.pool ?? UNPOOLED
    this.#slab = EMPTY
    this.#view = new DataView(this.#slab.buffer, 0, 0)
  }

  get count(): number {
    return this.#count
  }

  /** Bytes of the body so far. */
  get byteLength(): number {
    return TABLE_HEADER_BYTES + this.#subjectBytes + this.#used
  }

  /** Throws `message-too-large` for a key or headers over 65,534 bytes; the batch is then as it was. */
  add(record: RecordInput): void {
    const { key, value, headers } = record
    const headersBytes = headers === undefined ? EMPTY : this.#encodeHeaders(headers)
    const valueBound = value === null ? 0 : typeof value === 'string' ? textBound(value) : value.byteLength
    const keyBound = key === undefined ? 0 : textBound(key)
    const start = this.#used
    this.#reserve(start + RECORD_HEADER_BYTES + keyBound + headersBytes.byteLength + valueBound)
    const slab = this.#slab
    let at = start + RECORD_HEADER_BYTES
    let keyLength = NO_KEY
    if (key !== undefined) {
      keyLength = writeText(slab, key, at)
      if (keyLength > KEY_BYTES_MAX) throw tooLarge('key', keyLength, KEY_BYTES_MAX)
      at += keyLength
    }
    if (headersBytes !== EMPTY) {
      slab.set(headersBytes, at)
      at += headersBytes.byteLength
    }
    let flags = 0
    if (value === null) flags = FLAG_TOMBSTONE
    else if (typeof value === 'string') at += writeText(slab, value, at)
    else {
      slab.set(value, at)
      at += value.byteLength
    }
    const subject = record.subject === this.#lastSubject ? this.#lastSubjectIndex : this.#subjectIndex(record.subject)
    this.#writeHeader(
      start,
      at - start,
      subject | (flags << 24),
      keyLength,
      headersBytes.byteLength,
      record.timestampMs,
    )
    this.#used = at
    this.#count += 1
  }

  #writeHeader(
    start: number,
    length: number,
    subjectAndFlags: number,
    keyLength: number,
    headersLength: number,
    timestampMs: number,
  ): void {
    if (this.#count === 0) {
      this.#firstTimestampMs = timestampMs
      this.#lastTimestampMs = timestampMs
    } else if (timestampMs > this.#lastTimestampMs) {
      this.#lastTimestampMs = timestampMs
    }
    const view = this.#view
    view.setUint32(start, length, true)
    view.setUint32(start + OFFSET_DELTA_AT, this.#count, true)
    view.setFloat64(start + TIMESTAMP_DELTA_AT, timestampMs - this.#firstTimestampMs, true)
    view.setUint32(start + SUBJECT_AT, subjectAndFlags >>> 0, true)
    view.setUint16(start + KEY_LENGTH_AT, keyLength, true)
    view.setUint16(start + HEADERS_LENGTH_AT, headersLength, true)
  }

  /** Hands the batch over with its memory; the builder is empty and takes new memory for the next one. */
  finish(): EncodedRecords {
    const table = this.#encodeTable()
    const records = this.#slab.subarray(0, this.#used)
    const encoded: EncodedRecords = {
      parts: [table, records],
      byteLength: table.byteLength + records.byteLength,
      count: this.#count,
      firstTimestampMs: this.#firstTimestampMs,
      lastTimestampMs: this.#lastTimestampMs,
      subjects: [...this.#subjects.keys()],
      memory: this.#slab,
    }
    this.#bytesWanted = Math.max(1024, this.#used + (this.#used >> 3))
    this.#slab = EMPTY
    this.#view = new DataView(EMPTY.buffer, 0, 0)
    this.#used = 0
    this.#count = 0
    this.#subjects.clear()
    this.#lastSubject = undefined
    this.#subjectBytes = 0
    return encoded
  }

  #encodeTable(): TextBuffer {
    const table = Buffer.allocUnsafe(TABLE_HEADER_BYTES + this.#subjectBytes) as unknown as TextBuffer
    table.writeUInt32LE(table.byteLength, 0)
    table.writeUInt32LE(this.#subjects.size, 4)
    let at = TABLE_HEADER_BYTES
    for (const subject of this.#subjects.keys()) {
      const length = table.utf8Write(subject, at + 2, table.byteLength - at - 2)
      table.writeUInt16LE(length, at)
      at += 2 + length
    }
    return table
  }

  #subjectIndex(subject: string): number {
    let index = this.#subjects.get(subject)
    if (index === undefined) {
      const bytes = Buffer.byteLength(subject)
      if (bytes > 0xffff) throw tooLarge('subject', bytes, 0xffff)
      index = this.#subjects.size
      if (index > SUBJECT_INDEX_MAX) throw tooLarge('number of subjects', index, SUBJECT_INDEX_MAX)
      this.#subjects.set(subject, index)
      this.#subjectBytes += 2 + bytes
    }
    this.#lastSubject = subject
    this.#lastSubjectIndex = index
    return index
  }

  #encodeHeaders(headers: Readonly<Record<string, string>>): TextBuffer {
    if (headers === this.#headersGiven) return this.#headersBytes
    this.#headersBytes = encodeHeaders(headers)
    this.#headersGiven = headers
    return this.#headersBytes
  }

  #reserve(bytes: number): void {
    if (bytes <= this.#slab.byteLength) return
    const size = Math.max(bytes, this.#slab.byteLength * 2, this.#bytesWanted)
    const slab = textBuffer(this.#pool.take(size))
    slab.set(this.#slab.subarray(0, this.#used))
    this.#pool.give(this.#slab)
    this.#slab = slab
    this.#view = new DataView(slab.buffer, slab.byteOffset, slab.byteLength)
  }
}

function encodeHeaders(headers: Readonly<Record<string, string>>): TextBuffer {
  let bound = 2
  let count = 0
  for (const name in headers) {
    bound += 4 + 3 * (name.length + headers[name]!.length)
    count += 1
  }
  if (count === 0) return EMPTY
  const bytes = textBuffer(new Uint8Array(bound))
  bytes.writeUInt16LE(count, 0)
  let at = 2
  for (const name in headers) {
    at = writeHeaderText(bytes, name, at)
    at = writeHeaderText(bytes, headers[name]!, at)
  }
  if (at > HEADERS_BYTES_MAX) throw tooLarge('headers', at, HEADERS_BYTES_MAX)
  return bytes.subarray(0, at) as TextBuffer
}

function writeHeaderText(bytes: TextBuffer, text: string, at: number): number {
  const length = writeText(bytes, text, at + 2)
  if (length > HEADERS_BYTES_MAX) throw tooLarge('headers', length, HEADERS_BYTES_MAX)
  bytes.writeUInt16LE(length, at)
  return at + 2 + length
}

function textBound(text: string): number {
  return text.length <= COUNTED_TEXT_LENGTH ? text.length * 3 : Buffer.byteLength(text) + 3
}

function tooLarge(what: string, size: number, sizeMax: number): SkeinError {
  return new SkeinError('message-too-large', `Cannot encode a record: its ${what} takes ${size}, at most ${sizeMax}`, {
    details: { what, size, sizeMax },
  })
}
