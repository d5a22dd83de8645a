import { encodeFrameHeader, FRAME_HEADER_BYTES, FRAME_PAYLOAD_BYTES_MAX } from './frame.ts'
import { LANES, Lane } from './lane.ts'
import { headPrefix, type OutgoingMessage } from './message.ts'

/** After so many urgent frames in a row a waiting lower one gets its turn, so that no lane starves. */
const URGENT_RUN_MAX = 64

const FRAME_BYTES = FRAME_HEADER_BYTES + FRAME_PAYLOAD_BYTES_MAX
const SPARE_MAX = 16

interface LaneQueue {
  messages: OutgoingMessage[]
  /** Payload bytes of the first message that have left. */
  sentBytes: number
  /** Head first, then the parts of the body. */
  pieces: readonly Uint8Array[]
  piece: number
  pieceOffset: number
  queuedBytes: number
}

/** What waits to be sent, by lane: gives frame after frame, the most urgent first. */
export class SendQueue {
  readonly #lanes: readonly LaneQueue[] = LANES.map(() => emptyLane())
  /** Frames of full length that have left: few are on their way at once. */
  readonly #spare: Uint8Array[] = []
  #urgentRun = 0

  get byteLength(): number {
    return this.#lanes[0]!.queuedBytes + this.#lanes[1]!.queuedBytes + this.#lanes[2]!.queuedBytes
  }

  queuedBytes(lane: Lane): number {
    return this.#lanes[lane]!.queuedBytes
  }

  push(message: OutgoingMessage): void {
    const lane = this.#lanes[message.lane]!
    lane.messages.push(message)
    lane.queuedBytes += message.byteLength
  }

  /** The next frame, or undefined when there is none; `urgentOnly` while the peer has enough of the others in transit. */
  next(urgentOnly: boolean): Uint8Array | undefined {
    const lane = this.#choose(urgentOnly)
    return lane === undefined ? undefined : this.#takeFrame(this.#lanes[lane]!, lane)
  }

  /** A frame whose bytes have left: the next one may have its memory. */
  recycle(frame: Uint8Array): void {
    if (frame.length === FRAME_BYTES && this.#spare.length < SPARE_MAX) this.#spare.push(frame)
  }

  clear(): void {
    for (const lane of this.#lanes) Object.assign(lane, emptyLane())
  }

  #takeFrame(lane: LaneQueue, number: Lane): Uint8Array {
    const message = lane.messages[0]!
    if (lane.sentBytes === 0) {
      lane.pieces = [headPrefix(message), ...message.body]
      lane.piece = 0
      lane.pieceOffset = 0
    }
    const payloadBytes = Math.min(FRAME_PAYLOAD_BYTES_MAX, message.byteLength - lane.sentBytes)
    const frame = this.#memory(FRAME_HEADER_BYTES + payloadBytes)
    encodeFrameHeader(frame, {
      kind: message.kind,
      lane: number,
      isFirst: lane.sentBytes === 0,
      isLast: lane.sentBytes + payloadBytes === message.byteLength,
      channel: message.channel,
      operation: message.operation,
      payloadBytes,
    })
    fill(lane, frame)
    lane.sentBytes += payloadBytes
    lane.queuedBytes -= payloadBytes
    if (lane.sentBytes === message.byteLength) finishMessage(lane)
    return frame
  }

  #memory(bytes: number): Uint8Array {
    return (bytes === FRAME_BYTES ? this.#spare.pop() : undefined) ?? Buffer.allocUnsafe(bytes)
  }

  #choose(urgentOnly: boolean): Lane | undefined {
    const urgent = this.#lanes[Lane.urgent]!.queuedBytes > 0
    if (urgentOnly) return urgent ? Lane.urgent : undefined
    const lower =
      this.#lanes[Lane.normal]!.queuedBytes > 0
        ? Lane.normal
        : this.#lanes[Lane.bulk]!.queuedBytes > 0
          ? Lane.bulk
          : undefined
    if (!urgent || (lower !== undefined && this.#urgentRun >= URGENT_RUN_MAX)) {
      this.#urgentRun = 0
      return lower
    }
    this.#urgentRun += 1
    return Lane.urgent
  }
}

function emptyLane(): LaneQueue {
  return { messages: [], sentBytes: 0, pieces: [], piece: 0, pieceOffset: 0, queuedBytes: 0 }
}

function fill(lane: LaneQueue, frame: Uint8Array): void {
  let at = FRAME_HEADER_BYTES
  while (at < frame.length) {
    const piece = lane.pieces[lane.piece]!
    const bytes = Math.min(piece.length - lane.pieceOffset, frame.length - at)
    frame.set(piece.subarray(lane.pieceOffset, lane.pieceOffset + bytes), at)
    at += bytes
    lane.pieceOffset += bytes
    if (lane.pieceOffset === piece.length) {
      lane.piece += 1
      lane.pieceOffset = 0
    }
  }
}

function finishMessage(lane: LaneQueue): void {
  lane.sentBytes = 0
  lane.pieces = []
  lane.messages.shift()
}
