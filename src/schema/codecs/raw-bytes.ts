import { SkeinError } from '../../core/index.ts'
import type { Codec, Payload } from '../codec.ts'
import { fingerprint } from '../fingerprint.ts'

export interface RawBytesOptions {
  /** Media type. Default `application/octet-stream`. */
  readonly contentType?: string
}

/** Bytes as they are, for video, lidar and whatever has a format of its own. */
export function rawBytes(options: RawBytesOptions = {}): Codec<Uint8Array> {
  return new RawBytesCodec(options.contentType ?? 'application/octet-stream')
}

class RawBytesCodec implements Codec<Uint8Array> {
  readonly format = 'bytes'
  readonly contentType: string
  readonly schemaId: string
  readonly schema: unknown

  constructor(contentType: string) {
    this.contentType = contentType
    this.schema = { contentMediaType: contentType }
    this.schemaId = fingerprint(this.schema)
  }

  encode(value: Uint8Array): Uint8Array {
    if (value instanceof Uint8Array) return value
    throw new SkeinError('schema-mismatch', 'Cannot encode a value of this channel: the value must be bytes', {
      details: { path: '', why: 'must be bytes' },
    })
  }

  decode(payload: Payload | Uint8Array): Uint8Array {
    if (payload instanceof Uint8Array) return payload
    if (payload.value !== null) return payload.value
    throw new SkeinError('schema-mismatch', 'Cannot decode a value of this channel: it is a tombstone', {
      details: { path: '', why: 'is a tombstone' },
    })
  }
}
