import type { SkeinError } from '../core/index.ts'
import { type FrameKind, malformed, readUint32, writeUint32 } from './frame.ts'
import type { Lane } from './lane.ts'

/** A head is small JSON that says what the body is; the body is opaque. */
export type Head = Readonly<Record<string, unknown>>

/** One whole message, put together from its frames. */
export interface WireMessage {
  readonly kind: FrameKind
  readonly lane: Lane
  readonly channel: number
  readonly operation: number
  readonly head: Head
  /** Of the head as it came. */
  readonly headBytes: number
  /** A view, valid as long as it is referenced. */
  readonly body: Uint8Array
  /** Memory that may be used again once nobody needs the body any more; undefined for a body that shares its memory. */
  readonly memory?: Uint8Array | undefined
}

/** One message to send. `body` parts are consecutive; they are read until the message has left the queue. */
export interface OutgoingMessage {
  readonly kind: FrameKind
  readonly lane: Lane
  readonly channel: number
  readonly operation: number
  readonly head: Uint8Array
  readonly body: readonly Uint8Array[]
  /** Head and body with the eight bytes of their lengths: the payload over all frames. */
  readonly byteLength: number
}

/** The lengths of head and body, four bytes each, with which the payload of a message begins. */
export const LENGTHS_BYTES = 8

const EMPTY: readonly Uint8Array[] = []
const NO_BYTES = new Uint8Array(0)
const NO_HEAD: Head = Object.freeze({})
const encoder = new TextEncoder()

export function outgoing(
  kind: FrameKind,
  fields: {
    readonly lane: Lane
    readonly channel?: number
    readonly operation?: number
    readonly head?: Head | undefined
    readonly body?: readonly Uint8Array[] | undefined
  },
): OutgoingMessage {
  const head = fields.head === undefined ? NO_BYTES : encoder.encode(JSON.stringify(fields.head))
  const body = fields.body ?? EMPTY
  let byteLength = LENGTHS_BYTES + head.length
  for (const part of body) byteLength += part.length
  return {
    kind,
    lane: fields.lane,
    channel: fields.channel ?? 0,
    operation: fields.operation ?? 0,
    head,
    body,
    byteLength,
  }
}

/** The lengths of head and body, then the head: what the payload of a first frame begins with. */
export function headPrefix(message: OutgoingMessage): Uint8Array {
  const { head } = message
  const prefix = new Uint8Array(LENGTHS_BYTES + head.length)
  writeUint32(prefix, 0, head.length)
  writeUint32(prefix, 4, message.byteLength - prefix.length)
  prefix.set(head, LENGTHS_BYTES)
  return prefix
}

/** How long a message is, from the payload of its first frame. Throws `malformed-frame`. */
export function readLengths(payload: Uint8Array): { readonly headBytes: number; readonly bodyBytes: number } {
  if (payload.length < LENGTHS_BYTES) throw malformed(`its payload of ${payload.length} bytes has no room for lengths`)
  return { headBytes: readUint32(payload, 0), bodyBytes: readUint32(payload, 4) }
}

/** The JSON object that a head is. Throws `malformed-frame`. */
export function decodeHead(bytes: Uint8Array): Head {
  return bytes.length === 0 ? NO_HEAD : parseHead(bytes)
}

function parseHead(bytes: Uint8Array): Head {
  let head: unknown
  try {
    head = JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8'))
  } catch (cause) {
    throw withCause(malformed('its head is not JSON'), cause)
  }
  if (typeof head !== 'object' || head === null || Array.isArray(head)) throw malformed('its head is no JSON object')
  return head as Head
}

function withCause(error: SkeinError, cause: unknown): SkeinError {
  error.cause = cause
  return error
}
