/**
 * What clients and members of the harness say to each other over TCP: length of the body (4 bytes, little-endian), then a
 * byte that says what it is, the number of the call (4), and the rest. Batch-first: one frame carries many commands.
 */
export const CALL = { append: 1, read: 2 } as const

export const ANSWER = {
  done: 0,
  /** Nothing happened; the rest is a `Refusal` as JSON. */
  refused: 1,
  /** It may have happened, or may yet. */
  unknown: 2,
} as const

export interface Refusal {
  readonly code: string
  /** Whom to ask instead, where it is known. */
  readonly leader: number | undefined
}

const LENGTH_BYTES = 4
const HEADER_BYTES = LENGTH_BYTES + 1 + 4
const COMMAND_HEADER_BYTES = 4

/** A frame with room for `restBytes` behind its header. */
function makeFrame(kind: number, call: number, restBytes: number): Buffer {
  const frame = Buffer.allocUnsafeSlow(HEADER_BYTES + restBytes)
  frame.writeUInt32LE(frame.length - LENGTH_BYTES, 0)
  frame.writeUInt8(kind, LENGTH_BYTES)
  frame.writeUInt32LE(call, LENGTH_BYTES + 1)
  return frame
}

export function frameOf(kind: number, call: number, rest: Uint8Array): Buffer {
  const frame = makeFrame(kind, call, rest.length)
  frame.set(rest, HEADER_BYTES)
  return frame
}

/** An append of `count` commands of the same size, each written by `fill` into its place. */
export function appendFrame(
  call: number,
  commands: { readonly count: number; readonly bytes: number },
  fill: (target: Buffer, at: number, index: number) => void,
): Buffer {
  const step = COMMAND_HEADER_BYTES + commands.bytes
  const frame = makeFrame(CALL.append, call, commands.count * step)
  for (let index = 0, at = HEADER_BYTES; index < commands.count; index += 1, at += step) {
    frame.writeUInt32LE(commands.bytes, at)
    fill(frame, at + COMMAND_HEADER_BYTES, index)
  }
  return frame
}

export function appendFrameOf(call: number, commands: readonly Uint8Array[]): Buffer {
  let bytes = 0
  for (const { length } of commands) bytes += COMMAND_HEADER_BYTES + length
  const frame = makeFrame(CALL.append, call, bytes)
  let at = HEADER_BYTES
  for (const command of commands) {
    at = frame.writeUInt32LE(command.length, at)
    frame.set(command, at)
    at += command.length
  }
  return frame
}

/** The commands of an append's rest, as views. Throws when it is cut off. */
export function commandsOf(rest: Buffer): Uint8Array[] {
  const commands: Uint8Array[] = []
  for (let at = 0; at < rest.length; ) {
    const end = at + COMMAND_HEADER_BYTES + rest.readUInt32LE(at)
    if (end > rest.length) throw new Error('a command is cut off')
    commands.push(rest.subarray(at + COMMAND_HEADER_BYTES, end))
    at = end
  }
  return commands
}

/** One frame as it came: `whole` has its length in front. */
export interface CallFrame {
  readonly kind: number
  readonly call: number
  readonly rest: Buffer
  readonly whole: Buffer
}

/** Cuts what comes over a connection into frames. */
export class CallFrames {
  #pieces: Buffer[] = []
  #bytes = 0
  /** Of the frame that is not whole yet, with its length; 0 while that is not known. */
  #neededBytes = 0

  /** Gives the frames that are whole now; views into the chunk where a frame lies whole in it. */
  push(chunk: Buffer, onFrame: (frame: CallFrame) => void): void {
    this.#pieces.push(chunk)
    this.#bytes += chunk.length
    if (this.#bytes < Math.max(this.#neededBytes, LENGTH_BYTES)) return
    let rest = this.#pieces.length === 1 ? chunk : Buffer.concat(this.#pieces)
    for (;;) {
      this.#neededBytes = rest.length < LENGTH_BYTES ? 0 : LENGTH_BYTES + rest.readUInt32LE(0)
      if (rest.length < Math.max(this.#neededBytes, LENGTH_BYTES)) break
      const whole = rest.subarray(0, this.#neededBytes)
      onFrame({ kind: whole[LENGTH_BYTES]!, call: whole.readUInt32LE(5), rest: whole.subarray(HEADER_BYTES), whole })
      rest = rest.subarray(this.#neededBytes)
    }
    this.#pieces = rest.length === 0 ? [] : [rest]
    this.#bytes = rest.length
  }
}
