import { SkeinError } from '../core/index.ts'
import { isLane, type Lane } from './lane.ts'

/** Raised only by a change that an older peer cannot read; what can be ignored is added without it. */
const PROTOCOL_VERSION = 1

export const FRAME_HEADER_BYTES = 16

/**
 * Payload of one frame at most: a longer message is chopped, so that an urgent frame gets in between. Several frames
 * fit into what a socket gives at once, so that most of them are taken as they lie there.
 */
export const FRAME_PAYLOAD_BYTES_MAX = 16 * 1024

export const FrameKind = {
  hello: 1,
  welcome: 2,
  goodbye: 3,
  seen: 4,
  ping: 5,
  pong: 6,
  call: 16,
  reply: 17,
  failure: 18,
  cast: 19,
  cancel: 20,
} as const

export type FrameKind = (typeof FrameKind)[keyof typeof FrameKind]

const KINDS: ReadonlySet<number> = new Set(Object.values(FrameKind))

const FLAG_FIRST = 1
const FLAG_LAST = 2

/**
 * One frame, of a message that travels in one lane:
 *
 * | byte | field |
 * | --- | --- |
 * | 0 | version |
 * | 1 | kind |
 * | 2 | lane |
 * | 3 | flags: 1 first of its message, 2 last |
 * | 4–7 | channel: the number of a call, or of a stream |
 * | 8–9 | operation |
 * | 10–11 | zero |
 * | 12–15 | payload length of this frame |
 *
 * Integers are big-endian. One WebSocket message carries one frame.
 */
export interface Frame {
  readonly kind: FrameKind
  readonly lane: Lane
  readonly isFirst: boolean
  readonly isLast: boolean
  readonly channel: number
  readonly operation: number
  /** A view into the received bytes. */
  readonly payload: Uint8Array
}

interface FrameHeader {
  readonly kind: FrameKind
  readonly lane: Lane
  readonly isFirst: boolean
  readonly isLast: boolean
  readonly channel: number
  readonly operation: number
  readonly payloadBytes: number
}

/** Writes the header at the start of `target`; the payload follows at `FRAME_HEADER_BYTES`. */
export function encodeFrameHeader(target: Uint8Array, header: FrameHeader): void {
  target[0] = PROTOCOL_VERSION
  target[1] = header.kind
  target[2] = header.lane
  target[3] = (header.isFirst ? FLAG_FIRST : 0) | (header.isLast ? FLAG_LAST : 0)
  writeUint32(target, 4, header.channel)
  target[8] = header.operation >>> 8
  target[9] = header.operation & 0xff
  target[10] = 0
  target[11] = 0
  writeUint32(target, 12, header.payloadBytes)
}

/** Reads one frame. Throws `malformed-frame`, or `future-version`, saying what is wrong; it never reads out of bounds. */
export function decodeFrame(bytes: Uint8Array): Frame {
  if (bytes.length < FRAME_HEADER_BYTES) throw malformed(`it has ${bytes.length} bytes, a header alone has 16`)
  if (bytes[0] !== PROTOCOL_VERSION) throw wrongVersion(bytes[0]!)
  const kind = bytes[1]!
  if (!KINDS.has(kind)) throw malformed(`its kind ${kind} is unknown`)
  const lane = bytes[2]!
  if (!isLane(lane)) throw malformed(`its lane ${lane} is unknown`)
  const flags = bytes[3]!
  if (flags > (FLAG_FIRST | FLAG_LAST)) throw malformed(`its flags ${flags} are unknown`)
  if (bytes[10] !== 0 || bytes[11] !== 0) throw malformed('its reserved bytes are not zero')
  const payloadBytes = readUint32(bytes, 12)
  if (payloadBytes !== bytes.length - FRAME_HEADER_BYTES) {
    throw malformed(`its header says ${payloadBytes} payload bytes, ${bytes.length - FRAME_HEADER_BYTES} came`)
  }
  if (payloadBytes > FRAME_PAYLOAD_BYTES_MAX) {
    throw malformed(`its payload of ${payloadBytes} bytes is over the limit of ${FRAME_PAYLOAD_BYTES_MAX}`)
  }
  return {
    kind: kind as FrameKind,
    lane,
    isFirst: (flags & FLAG_FIRST) !== 0,
    isLast: (flags & FLAG_LAST) !== 0,
    channel: readUint32(bytes, 4),
    operation: (bytes[8]! << 8) | bytes[9]!,
    payload: bytes.subarray(FRAME_HEADER_BYTES),
  }
}

/** The error for whatever a peer sent that the protocol does not allow: its connection is closed with this reason. */
export function malformed(what: string): SkeinError {
  return new SkeinError('malformed-frame', `Cannot read a frame of the peer: ${what}; the connection is closed`)
}

export function readUint32(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0
}

export function writeUint32(target: Uint8Array, at: number, value: number): void {
  target[at] = value >>> 24
  target[at + 1] = value >>> 16
  target[at + 2] = value >>> 8
  target[at + 3] = value
}

function wrongVersion(version: number): SkeinError {
  if (version === 0) return malformed('its version is 0')
  return new SkeinError(
    'future-version',
    `Cannot read a frame of the peer: it says protocol version ${version}, this build speaks ${PROTOCOL_VERSION}; upgrade the older side`,
    { details: { version, supported: PROTOCOL_VERSION } },
  )
}
