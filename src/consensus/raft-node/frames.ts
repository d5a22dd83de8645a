import { crc32 } from 'node:zlib'
import { SkeinError } from '../../core/index.ts'

/** Length of the body (4) and its CRC-32 (4), little-endian; then the body, whose first byte says what it is. */
export const FRAME_HEADER_BYTES = 8

/** Completes a frame whose body stands behind the room for its header, and goes on in `rest`. */
export function sealFrame(frame: Buffer, rest: readonly Uint8Array[] = []): Buffer {
  let bytes = frame.length - FRAME_HEADER_BYTES
  let checksum = crc32(frame.subarray(FRAME_HEADER_BYTES))
  for (const part of rest) {
    bytes += part.length
    checksum = crc32(part, checksum)
  }
  frame.writeUInt32LE(bytes, 0)
  frame.writeUInt32LE(checksum, 4)
  return frame
}

/** A frame of one byte that says what it is, and bytes. */
export function encodeFrame(kind: number, ...parts: readonly Uint8Array[]): Buffer {
  return sealFrame(Buffer.concat([Buffer.alloc(FRAME_HEADER_BYTES), Uint8Array.of(kind), ...parts]))
}

/** Cuts a stream of bytes into the bodies of frames. The length is checked before anything is kept for it. */
export class FrameDecoder {
  /** Raise it once it is known who speaks. */
  bytesMax: number
  readonly #onFrame: (body: Buffer) => void
  /** A frame that has not come whole, or its header. */
  #open: Buffer = Buffer.allocUnsafeSlow(FRAME_HEADER_BYTES)
  #used = 0

  constructor(bytesMax: number, onFrame: (body: Buffer) => void) {
    this.bytesMax = bytesMax
    this.#onFrame = onFrame
  }

  /** Throws `malformed-frame`, and what the listener throws: then the stream is lost. */
  push(chunk: Uint8Array): void {
    let rest = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
    while (rest.length > 0) {
      if (this.#used === 0) rest = this.#takeWhole(rest)
      if (rest.length > 0) rest = this.#collect(rest)
    }
  }

  /** Frames that lie whole in the chunk are not copied. */
  #takeWhole(chunk: Buffer): Buffer {
    let at = 0
    while (chunk.length - at >= FRAME_HEADER_BYTES) {
      const end = at + FRAME_HEADER_BYTES + this.#checkedLength(chunk, at)
      if (end > chunk.length) break
      this.#give(chunk.subarray(at, end))
      at = end
    }
    return chunk.subarray(at)
  }

  /** Fills the header, then the frame it announces. */
  #collect(chunk: Buffer): Buffer {
    const taken = chunk.copy(this.#open, this.#used)
    this.#used += taken
    if (this.#used === this.#open.length) this.#filled()
    return chunk.subarray(taken)
  }

  #filled(): void {
    const open = this.#open
    const length = this.#checkedLength(open, 0)
    if (open.length === FRAME_HEADER_BYTES && length > 0) {
      this.#open = Buffer.allocUnsafeSlow(FRAME_HEADER_BYTES + length)
      open.copy(this.#open)
      return
    }
    this.#open = Buffer.allocUnsafeSlow(FRAME_HEADER_BYTES)
    this.#used = 0
    this.#give(open)
  }

  #checkedLength(bytes: Buffer, at: number): number {
    const length = bytes.readUInt32LE(at)
    if (length >= 1 && length <= this.bytesMax) return length
    throw malformed(`a frame of ${length} bytes, at most ${this.bytesMax} are taken`)
  }

  #give(frame: Buffer): void {
    const body = frame.subarray(FRAME_HEADER_BYTES)
    if (crc32(body) !== frame.readUInt32LE(4)) throw malformed('a frame that fails its checksum')
    this.#onFrame(body)
  }
}

function malformed(what: string): SkeinError {
  return new SkeinError('malformed-frame', `Cannot read from a peer: it sent ${what}`)
}
