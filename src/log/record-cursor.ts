import type { RecordCursor } from './record.ts'
import {
  FLAG_TOMBSTONE,
  HEADERS_LENGTH_AT,
  KEY_LENGTH_AT,
  malformedBody,
  NO_KEY,
  OFFSET_DELTA_AT,
  RECORD_HEADER_BYTES,
  SUBJECT_AT,
  SUBJECT_INDEX_MAX,
  TABLE_HEADER_BYTES,
  TIMESTAMP_DELTA_AT,
} from './record-layout.ts'
import { internText, type TextBuffer, textBuffer } from './text.ts'

const NO_HEADERS: Readonly<Record<string, string>> = Object.freeze({})

/** Walks the records of a body. `LogBatch` has the three arguments. */
export function recordCursor(body: Uint8Array, baseOffset: number, firstTimestampMs: number): RecordCursor {
  return new BodyCursor(body, baseOffset, firstTimestampMs)
}

class BodyCursor implements RecordCursor {
  readonly bytes: TextBuffer
  offset = -1
  recordStart = -1
  timestampMs = 0
  isTombstone = false
  valueStart = 0
  valueEnd = 0
  readonly #view: DataView
  readonly #end: number
  readonly #baseOffset: number
  readonly #firstTimestampMs: number
  readonly #subjects: readonly string[]
  readonly #recordsStart: number
  #at: number
  #subject = 0
  #keyStart = 0
  #keyLength = NO_KEY
  #headersStart = 0
  #headersLength = 0
  #knownStart = 0
  #knownLength = 0
  #known: Readonly<Record<string, string>> = NO_HEADERS

  constructor(body: Uint8Array, baseOffset: number, firstTimestampMs: number) {
    this.bytes = textBuffer(body)
    this.#view = new DataView(body.buffer, body.byteOffset, body.byteLength)
    this.#end = body.byteLength
    this.#baseOffset = baseOffset
    this.#firstTimestampMs = firstTimestampMs
    this.#subjects = readSubjects(this.bytes, this.#view)
    this.#recordsStart = this.#view.getUint32(0, true)
    this.#at = this.#recordsStart
  }

  next(): boolean {
    if (this.#at === this.#end) return false
    this.#enter(this.#at)
    return true
  }

  moveTo(recordStart: number): void {
    if (recordStart === this.recordStart) return
    if (recordStart < this.#recordsStart) throw malformedBody('no record begins there')
    this.#enter(recordStart)
  }

  #enter(start: number): void {
    const view = this.#view
    const left = this.#end - start
    if (left < RECORD_HEADER_BYTES) throw malformedBody('the last record is cut short')
    const length = view.getUint32(start, true)
    const word = view.getUint32(start + SUBJECT_AT, true)
    const keyLength = view.getUint16(start + KEY_LENGTH_AT, true)
    const headersStart = start + RECORD_HEADER_BYTES + (keyLength === NO_KEY ? 0 : keyLength)
    const headersLength = view.getUint16(start + HEADERS_LENGTH_AT, true)
    const valueStart = headersStart + headersLength
    if (length > left || valueStart > start + length) throw malformedBody('a record has a length beyond its end')
    this.#subject = word & SUBJECT_INDEX_MAX
    if (this.#subject >= this.#subjects.length) throw malformedBody('a record names a subject that is not there')
    this.offset = this.#baseOffset + view.getUint32(start + OFFSET_DELTA_AT, true)
    this.timestampMs = this.#firstTimestampMs + view.getFloat64(start + TIMESTAMP_DELTA_AT, true)
    this.isTombstone = ((word >>> 24) & FLAG_TOMBSTONE) !== 0
    this.#keyStart = start + RECORD_HEADER_BYTES
    this.#keyLength = keyLength
    this.#headersStart = headersStart
    this.#headersLength = headersLength
    this.valueStart = valueStart
    this.valueEnd = start + length
    this.recordStart = start
    this.#at = start + length
  }

  rewind(): void {
    this.#at = this.#recordsStart
    this.offset = -1
    this.recordStart = -1
  }

  subjects(): readonly string[] {
    return this.#subjects
  }

  get subject(): string {
    return this.#subjects[this.#subject]!
  }

  get key(): string | undefined {
    if (this.#keyLength === NO_KEY) return undefined
    return internText(this.bytes, this.#keyStart, this.#keyStart + this.#keyLength)
  }

  headers(): Readonly<Record<string, string>> {
    if (this.#headersLength === 0) return NO_HEADERS
    if (!this.#sameHeaders()) {
      this.#known = readHeaders(this.bytes, this.#view, this.#headersStart, this.#headersLength)
      this.#knownStart = this.#headersStart
      this.#knownLength = this.#headersLength
    }
    return this.#known
  }

  #sameHeaders(): boolean {
    if (this.#knownLength !== this.#headersLength) return false
    const known = this.#knownStart
    const start = this.#headersStart
    if (known === start) return true
    const view = this.#view
    const length = this.#headersLength
    let index = 0
    for (; index + 4 <= length; index += 4) {
      if (view.getUint32(known + index, true) !== view.getUint32(start + index, true)) return false
    }
    for (; index < length; index += 1) {
      if (view.getUint8(known + index) !== view.getUint8(start + index)) return false
    }
    return true
  }

  header(name: string): string | undefined {
    const end = this.#headersStart + this.#headersLength
    if (this.#headersLength === 0) return undefined
    for (let at = this.#headersStart + 2; at < end; ) {
      const nameStart = at + 2
      const nameEnd = textEnd(this.#view, at, end)
      const valueEnd = textEnd(this.#view, nameEnd, end)
      if (internText(this.bytes, nameStart, nameEnd) === name) return this.bytes.utf8Slice(nameEnd + 2, valueEnd)
      at = valueEnd
    }
    return undefined
  }

  valueText(): string {
    return this.bytes.utf8Slice(this.valueStart, this.valueEnd)
  }

  valueBytes(): Uint8Array {
    return this.bytes.subarray(this.valueStart, this.valueEnd)
  }
}

function readSubjects(bytes: TextBuffer, view: DataView): string[] {
  if (bytes.byteLength < TABLE_HEADER_BYTES) throw malformedBody('it is shorter than a subject table')
  const end = view.getUint32(0, true)
  const count = view.getUint32(4, true)
  if (end < TABLE_HEADER_BYTES || end > bytes.byteLength) throw malformedBody('its subject table ends beyond it')
  const subjects: string[] = []
  let at = TABLE_HEADER_BYTES
  for (let index = 0; index < count; index += 1) {
    const textAt = at + 2
    at = textEnd(view, at, end)
    subjects.push(internText(bytes, textAt, at))
  }
  if (at !== end) throw malformedBody('its subject table has another length than it says')
  return subjects
}

function readHeaders(
  bytes: TextBuffer,
  view: DataView,
  start: number,
  length: number,
): Readonly<Record<string, string>> {
  const end = start + length
  if (length < 2) throw malformedBody('headers are cut short')
  const headers: Record<string, string> = {}
  const count = view.getUint16(start, true)
  let at = start + 2
  for (let index = 0; index < count; index += 1) {
    const nameEnd = textEnd(view, at, end)
    const valueEnd = textEnd(view, nameEnd, end)
    const name = internText(bytes, at + 2, nameEnd)
    if (name === '__proto__') throw malformedBody('a header has a reserved name')
    headers[name] = internText(bytes, nameEnd + 2, valueEnd)
    at = valueEnd
  }
  if (at !== end) throw malformedBody('headers have another length than they say')
  return Object.freeze(headers)
}

/** Where the length-prefixed text at `at` ends. */
function textEnd(view: DataView, at: number, end: number): number {
  if (at + 2 > end) throw malformedBody('a text is cut short')
  const textEndAt = at + 2 + view.getUint16(at, true)
  if (textEndAt > end) throw malformedBody('a text ends beyond its frame')
  return textEndAt
}
