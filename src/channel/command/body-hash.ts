import { createHash } from 'node:crypto'

/** What makes two commands with one intent id the same: type and value, not deadline, sender or epoch. SHA-256, hex. */
export function bodyHash(type: string, value: Uint8Array | string): string {
  return createHash('sha256').update(type).update('\0').update(value).digest('hex')
}
