import { SkeinError } from '../core/index.ts'

// The body of a batch: a subject table, then the records. All numbers are little-endian.
//
//   table   u32 bytes of the table, this field included · u32 subjects · per subject: u16 length, UTF-8
//   record  u32 length of the record, this field included · u32 offset delta · f64 timestamp delta, ms ·
//           u32 subject index (24 bits) and flags (8 bits) · u16 key length (0xffff: no key) · u16 headers length ·
//           key · headers · value
//   headers u16 count · per header: u16 name length, name, u16 value length, value
//
// docs/internals/log.md says why.

export const TABLE_HEADER_BYTES = 8
export const RECORD_HEADER_BYTES = 24
export const OFFSET_DELTA_AT = 4
export const TIMESTAMP_DELTA_AT = 8
export const SUBJECT_AT = 16
export const KEY_LENGTH_AT = 20
export const HEADERS_LENGTH_AT = 22
export const SUBJECT_INDEX_MAX = 0xff_ffff
export const FLAG_TOMBSTONE = 1
export const NO_KEY = 0xffff
export const KEY_BYTES_MAX = 0xfffe
export const HEADERS_BYTES_MAX = 0xffff

export function malformedBody(why: string): SkeinError {
  return new SkeinError('corrupt', `Cannot read a batch of records: ${why}`, { details: { why } })
}
