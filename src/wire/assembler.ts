import type { BufferPool } from '../core/index.ts'
import { type Frame, malformed } from './frame.ts'
import { LANES } from './lane.ts'
import { decodeHead, LENGTHS_BYTES, readLengths, type WireMessage } from './message.ts'

interface Partial {
  readonly first: Frame
  readonly headBytes: number
  readonly byteLength: number
  /** Head and body, as far as they have come. Longer than the message when it has been used before. */
  memory: Uint8Array
  filled: number
}

/** Taken for a message that has only begun: a peer that announces much and sends little costs no more. */
const FIRST_BYTES = 64 * 1024

/**
 * Puts messages together from their frames. Frames of one lane come in order and one message after the other, so at
 * most one message per lane is incomplete.
 */
export class MessageAssembler {
  /** May be changed between messages. */
  messageBytesMax: number
  readonly #pool: BufferPool
  readonly #partials: Array<Partial | undefined> = LANES.map(() => undefined)

  constructor(messageBytesMax: number, pool: BufferPool) {
    this.messageBytesMax = messageBytesMax
    this.#pool = pool
  }

  /** The message that this frame completes, if it does. Throws `malformed-frame`. */
  add(frame: Frame): WireMessage | undefined {
    const partial = this.#partials[frame.lane]
    if (frame.isFirst) {
      if (partial !== undefined) throw malformed('it begins a message before the one before it in its lane has ended')
      return this.#begin(frame)
    }
    if (partial === undefined) throw malformed('it continues a message that never began')
    if (frame.kind !== partial.first.kind || frame.channel !== partial.first.channel) {
      throw malformed('it continues another message than the one begun in its lane')
    }
    if (frame.payload.length === 0) throw malformed('it continues a message with nothing')
    return this.#continue(partial, frame)
  }

  #begin(frame: Frame): WireMessage | undefined {
    const { payload } = frame
    const { headBytes, bodyBytes } = readLengths(payload)
    const byteLength = headBytes + bodyBytes
    if (LENGTHS_BYTES + byteLength > this.messageBytesMax) {
      throw malformed(`its message of ${byteLength} bytes is longer than ${this.messageBytesMax}`)
    }
    const come = payload.subarray(LENGTHS_BYTES)
    if (frame.isLast) {
      if (come.length !== byteLength) throw malformed(`its message has ${come.length} bytes instead of ${byteLength}`)
      return { ...about(frame), head: decodeHead(come.subarray(0, headBytes)), body: come.subarray(headBytes) }
    }
    const memory = this.#pool.take(Math.min(byteLength, FIRST_BYTES))
    const partial: Partial = { first: frame, headBytes, byteLength, memory, filled: 0 }
    this.#partials[frame.lane] = partial
    this.#fill(partial, come)
    return undefined
  }

  #continue(partial: Partial, frame: Frame): WireMessage | undefined {
    this.#fill(partial, frame.payload)
    const { first, headBytes, byteLength, memory, filled } = partial
    if (!frame.isLast) return undefined
    this.#partials[frame.lane] = undefined
    if (filled !== byteLength) throw malformed(`its message has ${filled} bytes instead of ${byteLength}`)
    const head = decodeHead(memory.subarray(0, headBytes))
    return { ...about(first), head, body: memory.subarray(headBytes, byteLength), memory }
  }

  #fill(partial: Partial, bytes: Uint8Array): void {
    const end = partial.filled + bytes.length
    if (end > partial.byteLength) throw malformed(`its message is longer than the ${partial.byteLength} bytes it said`)
    if (end > partial.memory.length) this.#grow(partial)
    partial.memory.set(bytes, partial.filled)
    partial.filled = end
  }

  /** By the second frame that does not fit the peer has shown that it means what it announced. */
  #grow(partial: Partial): void {
    const { memory } = partial
    partial.memory = this.#pool.take(partial.byteLength)
    partial.memory.set(memory.subarray(0, partial.filled))
    this.#pool.give(memory)
  }
}

function about(frame: Frame): Pick<WireMessage, 'kind' | 'lane' | 'channel' | 'operation'> {
  return { kind: frame.kind, lane: frame.lane, channel: frame.channel, operation: frame.operation }
}
