import { type Frame, malformed } from './frame.ts'
import { LANES } from './lane.ts'
import { splitPayload, type WireMessage } from './message.ts'

interface Partial {
  readonly first: Frame
  readonly parts: Uint8Array[]
  byteLength: number
}

/**
 * Puts messages together from their frames. Frames of one lane come in order and one message after the other, so at
 * most one message per lane is incomplete; it holds only bytes that have come.
 */
export class MessageAssembler {
  readonly #messageBytesMax: number
  readonly #partials: Array<Partial | undefined> = LANES.map(() => undefined)

  constructor(messageBytesMax: number) {
    this.#messageBytesMax = messageBytesMax
  }

  /** The message that this frame completes, if it does. Throws `malformed-frame`. */
  add(frame: Frame): WireMessage | undefined {
    const partial = this.#partials[frame.lane]
    if (frame.isFirst) {
      if (partial !== undefined) throw malformed('it begins a message before the one before it in its lane has ended')
      if (frame.isLast) return completed(frame, frame.payload)
      this.#partials[frame.lane] = { first: frame, parts: [frame.payload], byteLength: frame.payload.length }
      return undefined
    }
    if (partial === undefined) throw malformed('it continues a message that never began')
    if (frame.kind !== partial.first.kind || frame.channel !== partial.first.channel) {
      throw malformed('it continues another message than the one begun in its lane')
    }
    if (frame.payload.length === 0) throw malformed('it continues a message with nothing')
    partial.byteLength += frame.payload.length
    if (partial.byteLength > this.#messageBytesMax) {
      throw malformed(`its message is longer than ${this.#messageBytesMax} bytes`)
    }
    partial.parts.push(frame.payload)
    if (!frame.isLast) return undefined
    this.#partials[frame.lane] = undefined
    return completed(partial.first, Buffer.concat(partial.parts, partial.byteLength))
  }
}

function completed(first: Frame, payload: Uint8Array): WireMessage {
  const { head, body } = splitPayload(payload)
  return { kind: first.kind, lane: first.lane, channel: first.channel, operation: first.operation, head, body }
}
