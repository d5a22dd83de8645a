import { createHash } from 'node:crypto'
import { SkeinError, UnsupportedError } from '../../core/index.ts'
import type { ObjectStore } from '../../objects/index.ts'
import type { Payload } from '../../schema/index.ts'
import type { ClaimMark } from './claim-header.ts'

/** Bytes that were not in the message itself. */
export class BytesPayload implements Payload {
  readonly value: Uint8Array

  constructor(value: Uint8Array) {
    this.value = value
  }

  text(): string {
    return Buffer.from(this.value.buffer, this.value.byteOffset, this.value.byteLength).toString('utf8')
  }
}

/** Fetches what a claim check names. Rejects with `corrupt` when size or SHA-256 differ, with `not-found`. */
export async function claimedPayload(objects: ObjectStore | undefined, mark: ClaimMark): Promise<Payload> {
  if (objects === undefined) throw new UnsupportedError('claim checks', 'no object store is bound to read them from')
  const bytes = await objects.get(mark.name)
  const sha256 = createHash('sha256').update(bytes).digest('hex')
  if (bytes.byteLength !== mark.bytes || sha256 !== mark.sha256) {
    throw new SkeinError('corrupt', `Cannot use the object "${mark.name}": its size or SHA-256 is not the message's`, {
      details: { name: mark.name, bytes: bytes.byteLength, expectedBytes: mark.bytes },
    })
  }
  return new BytesPayload(bytes)
}
