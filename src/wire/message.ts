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
  /** A view, valid as long as it is referenced. */
  readonly body: Uint8Array
}

/** One message to send. `body` parts are consecutive; they are read until the message has left the queue. */
export interface OutgoingMessage {
  readonly kind: FrameKind
  readonly lane: Lane
  readonly channel: number
  readonly operation: number
  readonly head: Uint8Array
  readonly body: readonly Uint8Array[]
  /** Head and body with the four bytes of the head's length: the payload over all frames. */
  readonly byteLength: number
}

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
  let byteLength = 4 + head.length
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

/** The four bytes of the head's length, then the head: what the payload of a first frame begins with. */
export function headPrefix(message: OutgoingMessage): Uint8Array {
  const prefix = new Uint8Array(4 + message.head.length)
  writeUint32(prefix, 0, message.head.length)
  prefix.set(message.head, 4)
  return prefix
}

/** Splits a whole payload into head and body. Throws `malformed-frame`. */
export function splitPayload(payload: Uint8Array): { readonly head: Head; readonly body: Uint8Array } {
  if (payload.length < 4) throw malformed(`its payload of ${payload.length} bytes has no room for a head's length`)
  const headBytes = readUint32(payload, 0)
  if (headBytes > payload.length - 4) throw malformed(`its head of ${headBytes} bytes is longer than its payload`)
  const body = payload.subarray(4 + headBytes)
  return { head: headBytes === 0 ? NO_HEAD : parseHead(payload.subarray(4, 4 + headBytes)), body }
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
