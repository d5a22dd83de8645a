import type { BufferPool } from '../core/index.ts'
import { type Frame, malformed } from './frame.ts'
import { LANES } from './lane.ts'
import { decodeHead, LENGTHS_BYTES, readLengths, type WireMessage } from './message.ts'
import type { PartialMessage, PartialMessages } from './partial-messages.ts'

/** What the frames of one message have in common: none of their bytes is kept with it. */
type About = Pick<WireMessage, 'kind' | 'lane' | 'channel' | 'operation'>

class Partial implements PartialMessage {
  readonly about: About
  readonly headBytes: number
  readonly byteLength: number
  readonly abandon: () => void
  /** Head and body, as far as they have come. Longer than the message when it has been used before. */
  memory: Uint8Array
  filled = 0

  constructor(
    about: About,
    parts: {
      readonly headBytes: number
      readonly byteLength: number
      readonly memory: Uint8Array
      readonly abandon: () => void
    },
  ) {
    this.about = about
    this.headBytes = parts.headBytes
    this.byteLength = parts.byteLength
    this.memory = parts.memory
    this.abandon = parts.abandon
  }

  get heldBytes(): number {
    return this.memory.length
  }
}

export interface AssemblerOptions {
  /** Where the memory of messages of several frames comes from. */
  readonly pool: BufferPool
  /** What has begun on all connections of the process. */
  readonly partials: PartialMessages
  /** Ends the connection: a message that has begun on it is given up. */
  readonly abandon: () => void
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
  readonly #options: AssemblerOptions
  readonly #partials: Array<Partial | undefined> = LANES.map(() => undefined)

  constructor(messageBytesMax: number, options: AssemblerOptions) {
    this.messageBytesMax = messageBytesMax
    this.#options = options
  }

  /** The connection has ended: what has begun stays as it is. */
  close(): void {
    for (const partial of this.#partials) if (partial !== undefined) this.#options.partials.end(partial)
    this.#partials.fill(undefined)
  }

  /** The message that this frame completes, if it does. Throws `malformed-frame`. */
  add(frame: Frame): WireMessage | undefined {
    const partial = this.#partials[frame.lane]
    if (frame.isFirst) {
      if (partial !== undefined) throw malformed('it begins a message before the one before it in its lane has ended')
      return this.#begin(frame)
    }
    if (partial === undefined) throw malformed('it continues a message that never began')
    if (frame.kind !== partial.about.kind || frame.channel !== partial.about.channel) {
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
      const head = decodeHead(come.subarray(0, headBytes))
      return { ...aboutOf(frame), head, headBytes, body: come.subarray(headBytes) }
    }
    const { pool, abandon } = this.#options
    const memory = pool.take(Math.min(byteLength, FIRST_BYTES))
    const partial = new Partial(aboutOf(frame), { headBytes, byteLength, memory, abandon })
    this.#partials[frame.lane] = partial
    this.#fill(partial, come)
    this.#options.partials.touch(partial)
    return undefined
  }

  #continue(partial: Partial, frame: Frame): WireMessage | undefined {
    this.#fill(partial, frame.payload)
    const { about, headBytes, byteLength, memory, filled } = partial
    if (!frame.isLast) {
      this.#options.partials.touch(partial)
      return undefined
    }
    this.#partials[frame.lane] = undefined
    this.#options.partials.end(partial)
    if (filled !== byteLength) throw malformed(`its message has ${filled} bytes instead of ${byteLength}`)
    const head = decodeHead(memory.subarray(0, headBytes))
    return { ...about, head, headBytes, body: memory.subarray(headBytes, byteLength), memory }
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
    partial.memory = this.#options.pool.take(partial.byteLength)
    partial.memory.set(memory.subarray(0, partial.filled))
    this.#options.pool.give(memory)
  }
}

function aboutOf(frame: Frame): About {
  return { kind: frame.kind, lane: frame.lane, channel: frame.channel, operation: frame.operation }
}
