import { createHash } from 'node:crypto'

const FINGERPRINT_HEX_DIGITS = 16

/** Names a JSON document by its content: the first 64 bits of SHA-256 over it with sorted keys, in hex. */
export function fingerprint(document: unknown): string {
  return createHash('sha256').update(canonicalJson(document)).digest('hex').slice(0, FINGERPRINT_HEX_DIGITS)
}

function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_name, part) => (isPlainObject(part) ? sortedCopy(part) : part)) ?? 'null'
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function sortedCopy(source: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(source).sort(([left], [right]) => (left < right ? -1 : 1)))
}
