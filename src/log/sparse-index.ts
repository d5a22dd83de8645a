import { crc32 } from 'node:zlib'
import { readInteger, writeInteger } from './integers.ts'

/** One entry for about so many bytes. */
const INTERVAL_BYTES = 64 * 1024
const MAGIC = 0x584b4e53
const HEADER_BYTES = 24
const ENTRY_BYTES = 24

/**
 * Where in one segment's file some of its batches begin, and when they were appended. It is derived and only a hint: a
 * reader checks that the batch it expects is there, and scans when it is not.
 */
export class SparseIndex {
  readonly #offsets: number[] = []
  readonly #positions: number[] = []
  readonly #times: number[] = []

  /** Notes a batch if it lies far enough behind the last one noted. Batches come in order. */
  note(baseOffset: number, position: number, appendedAtMs: number): void {
    const last = this.#positions.at(-1)
    if (last !== undefined && position - last < INTERVAL_BYTES) return
    this.#offsets.push(baseOffset)
    this.#positions.push(position)
    this.#times.push(appendedAtMs)
  }

  /** Notes what another index of the same segment has from this position on. */
  continueWith(other: SparseIndex, fromPosition: number): void {
    for (const [index, position] of other.#positions.entries()) {
      if (position >= fromPosition) this.note(other.#offsets[index]!, position, other.#times[index]!)
    }
  }

  /** Position of the last noted batch that begins at or before the offset. */
  positionOf(offset: number): { readonly offset: number; readonly position: number } | undefined {
    const at = lastAtMost(this.#offsets, offset)
    return at === -1 ? undefined : { offset: this.#offsets[at]!, position: this.#positions[at]! }
  }

  /**
   * Where a read from this position should end so that it cuts no noted batch: at the last that begins within `bytesMax`,
   * or else at the first one behind. Undefined when none is noted behind the position.
   */
  boundaryAfter(position: number, bytesMax: number): number | undefined {
    const at = lastAtMost(this.#positions, position + bytesMax)
    const within = at === -1 ? position : this.#positions[at]!
    return within > position ? within : this.#positions[at + 1]
  }

  /** Offset of the last noted batch that was appended before the time. */
  offsetBefore(timestampMs: number): number | undefined {
    const at = lastAtMost(this.#times, timestampMs - 1)
    return at === -1 ? undefined : this.#offsets[at]
  }

  encode(segmentId: number): Buffer {
    const bytes = Buffer.alloc(HEADER_BYTES + this.#offsets.length * ENTRY_BYTES)
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    view.setUint32(0, MAGIC, true)
    writeInteger(view, 8, segmentId)
    view.setUint32(16, this.#offsets.length, true)
    for (const [index, offset] of this.#offsets.entries()) {
      const at = HEADER_BYTES + index * ENTRY_BYTES
      writeInteger(view, at, offset)
      writeInteger(view, at + 8, this.#positions[index]!)
      writeInteger(view, at + 16, this.#times[index]!)
    }
    view.setUint32(4, crc32(bytes.subarray(8)), true)
    return bytes
  }

  /** Undefined when the bytes are no intact index of this segment. */
  static decode(bytes: Buffer, segmentId: number): SparseIndex | undefined {
    if (bytes.byteLength < HEADER_BYTES) return undefined
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    const count = view.getUint32(16, true)
    if (view.getUint32(0, true) !== MAGIC || bytes.byteLength !== HEADER_BYTES + count * ENTRY_BYTES) return undefined
    if (crc32(bytes.subarray(8)) !== view.getUint32(4, true) || readInteger(view, 8) !== segmentId) return undefined
    const index = new SparseIndex()
    for (let entry = 0; entry < count; entry += 1) {
      const at = HEADER_BYTES + entry * ENTRY_BYTES
      index.#offsets.push(readInteger(view, at))
      index.#positions.push(readInteger(view, at + 8))
      index.#times.push(readInteger(view, at + 16))
    }
    return index
  }
}

/** Index of the last value ≤ `wanted` in an ascending list, or -1. */
function lastAtMost(values: readonly number[], wanted: number): number {
  let low = 0
  let high = values.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (values[middle]! <= wanted) low = middle + 1
    else high = middle
  }
  return low - 1
}
