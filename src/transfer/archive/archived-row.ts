import { isUtf8 } from 'node:buffer'
import type { Delivery, Headers } from '../../bus/index.ts'
import { TTL_HEADER } from '../moved-headers.ts'

/** One message as an archive keeps it. */
export interface ArchivedRow {
  readonly partition: number
  readonly sequence: number
  readonly subject: string
  readonly key?: string
  readonly id?: string
  readonly timestampMs: number
  readonly appendedAtMs: number
  /** From then on no reader is given it. */
  readonly expiresAtMs?: number
  readonly headers?: Headers
  /** Null is a tombstone. */
  readonly value: Uint8Array | string | null
}

/** What stands in a row for the value. */
interface ValueFields {
  readonly value?: unknown
  readonly text?: string
  readonly base64?: string
  readonly tombstone?: true
}

/**
 * A message as one line of JSON. The value stands under `value` where it is JSON that is written again to the same bytes, else
 * under `text` where it is UTF-8, else under `base64`; a tombstone says so.
 */
export function archivedLine(delivery: Delivery, topicTtlMs: number | undefined): string {
  const { position, subject, key, id, timestampMs, appendedAtMs, headers } = delivery
  const ttlMs = headers[TTL_HEADER] === undefined ? topicTtlMs : Number(headers[TTL_HEADER])
  const facts = {
    partition: position.partition,
    sequence: position.sequence,
    subject,
    key,
    id,
    timestampMs,
    appendedAtMs,
    expiresAtMs: ttlMs !== undefined && ttlMs >= 0 ? appendedAtMs + ttlMs : undefined,
    headers: isEmpty(headers) ? undefined : headers,
  }
  return `${JSON.stringify(facts).slice(0, -1)},${valueJson(delivery)}}\n`
}

function isEmpty(headers: Headers): boolean {
  for (const _ in headers) return false
  return true
}

function valueJson({ value }: Delivery): string {
  if (value === null) return '"tombstone":true'
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength)
  if (!isUtf8(bytes)) return `"base64":"${bytes.toString('base64')}"`
  const text = bytes.toString('utf8')
  return isCanonicalJson(text) ? `"value":${text}` : `"text":${JSON.stringify(text)}`
}

function isCanonicalJson(text: string): boolean {
  const first = text.charCodeAt(0)
  // Objects and lists, the values that analysts look into; a bare word or number is text as well.
  if (first !== 0x7b && first !== 0x5b) return false
  try {
    return JSON.stringify(JSON.parse(text)) === text
  } catch {
    return false
  }
}

/** Throws a `SyntaxError` for a line that is none of ours. */
export function parseArchivedLine(line: string): ArchivedRow {
  const { value, text, base64, tombstone, ...facts } = JSON.parse(line) as Omit<ArchivedRow, 'value'> & ValueFields
  if (tombstone) return { ...facts, value: null }
  if (text !== undefined) return { ...facts, value: text }
  return { ...facts, value: base64 === undefined ? JSON.stringify(value) : Buffer.from(base64, 'base64') }
}
