import type { RecordCursor } from './record.ts'
import { recordCursor } from './record-cursor.ts'
import { SUBJECT_AT, SUBJECT_INDEX_MAX, TABLE_HEADER_BYTES } from './record-layout.ts'

/** A body of which some records were taken out. */
export interface FilteredBody {
  readonly body: Buffer
  readonly count: number
}

/**
 * The body without the records that `keep` refuses; offset deltas and bytes of the others stay as they are, and the
 * subject table keeps only what they name. Undefined when none is left.
 */
export function filterRecords(
  body: Uint8Array,
  baseOffset: number,
  keep: (cursor: RecordCursor) => boolean,
): FilteredBody | undefined {
  const cursor = recordCursor(body, baseOffset, 0)
  const given = Buffer.from(body.buffer, body.byteOffset, body.byteLength)
  const records: Buffer[] = []
  const newIndexes = new Map<number, number>()
  while (cursor.next()) {
    if (!keep(cursor)) continue
    const record = Buffer.from(given.subarray(cursor.recordStart, cursor.valueEnd))
    const word = record.readUInt32LE(SUBJECT_AT)
    const oldIndex = word & SUBJECT_INDEX_MAX
    const newIndex = newIndexes.get(oldIndex) ?? newIndexes.size
    newIndexes.set(oldIndex, newIndex)
    record.writeUInt32LE((((word >>> 24) << 24) | newIndex) >>> 0, SUBJECT_AT)
    records.push(record)
  }
  if (records.length === 0) return undefined
  return { body: Buffer.concat([subjectTable(cursor, newIndexes), ...records]), count: records.length }
}

function subjectTable(cursor: RecordCursor, newIndexes: ReadonlyMap<number, number>): Buffer {
  const subjects = cursor.subjects()
  const texts = [...newIndexes.keys()].map((oldIndex) => {
    const text = Buffer.from(subjects[oldIndex]!)
    const length = Buffer.alloc(2)
    length.writeUInt16LE(text.byteLength)
    return Buffer.concat([length, text])
  })
  const start = Buffer.alloc(TABLE_HEADER_BYTES)
  const table = Buffer.concat([start, ...texts])
  table.writeUInt32LE(table.byteLength, 0)
  table.writeUInt32LE(texts.length, 4)
  return table
}
