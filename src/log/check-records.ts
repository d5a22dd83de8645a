import type { EncodedRecords } from './record.ts'
import { recordCursor } from './record-cursor.ts'
import { malformedBody } from './record-layout.ts'

/** What an untrusted body holds, once every length in it is known to be right. */
export interface RecordsSummary {
  readonly count: number
  /** Every distinct subject in its table, each to be authorised. */
  readonly subjects: readonly string[]
  /** Bytes of the largest value. */
  readonly valueBytesMax: number
  /** Of the latest record, relative to the first. */
  readonly timestampDeltaMaxMs: number
  /** Whether some record has the header that was asked for. */
  readonly hasHeader: boolean
}

/** What decoding puts in the place of bytes that are no UTF-8. */
const NOT_TEXT = '\ufffd'

/**
 * Checks a body that somebody else encoded: lengths, subjects, headers, offset deltas without gaps, whole timestamps.
 * Throws `corrupt` saying what is wrong.
 */
export function checkRecords(body: Uint8Array, options: { readonly header?: string } = {}): RecordsSummary {
  const cursor = recordCursor(body, 0, 0)
  const { header } = options
  let known: Readonly<Record<string, string>> | undefined
  let hasHeader = false
  let count = 0
  let valueBytesMax = 0
  let timestampDeltaMaxMs = 0
  while (cursor.next()) {
    if (cursor.offset !== count) throw malformedBody('its offset deltas do not count up from zero')
    const delta = cursor.timestampMs
    if (!Number.isSafeInteger(delta) || (count === 0 && delta !== 0)) throw malformedBody('a timestamp is out of range')
    const headers = cursor.headers()
    // Records with the same headers as the one before share the object.
    if (headers !== known) {
      known = headers
      hasHeader ||= header !== undefined && headers[header] !== undefined
    }
    if (delta > timestampDeltaMaxMs) timestampDeltaMaxMs = delta
    const valueBytes = cursor.valueEnd - cursor.valueStart
    if (valueBytes > valueBytesMax) valueBytesMax = valueBytes
    if (cursor.isTombstone && valueBytes > 0) throw malformedBody('a tombstone has a value')
    count += 1
  }
  const subjects = cursor.subjects()
  // Other bytes would all look alike to whoever decides by the text.
  if (subjects.some((subject) => subject.includes(NOT_TEXT))) throw malformedBody('a subject is not UTF-8')
  return { count, subjects, valueBytesMax, timestampDeltaMaxMs, hasHeader }
}

/** A body as it came over the wire, checked, ready to append. */
export function encodedRecords(body: Uint8Array, firstTimestampMs: number, summary: RecordsSummary): EncodedRecords {
  return {
    parts: [body],
    byteLength: body.byteLength,
    count: summary.count,
    firstTimestampMs,
    lastTimestampMs: firstTimestampMs + summary.timestampDeltaMaxMs,
    subjects: summary.subjects,
  }
}
