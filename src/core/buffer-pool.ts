const SIZE_MIN = 16 * 1024
const SIZE_MAX = 2 * 1024 * 1024

/**
 * Memory for large messages, used again and again: fresh memory of that size costs page faults, and the collector runs
 * for it far more often than for anything else. Sizes are powers of two; what is over the bound is left to the collector.
 */
export class BufferPool {
  readonly #bytesMax: number
  readonly #free = new Map<number, Uint8Array[]>()
  #bytes = 0

  /** With 0 nothing is kept, and memory is taken as it is asked for. */
  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  /** At least so many bytes; what they hold is of no meaning. */
  take(bytes: number): Uint8Array {
    // What would not be kept is no larger than it must be.
    if (this.#bytesMax === 0 || bytes > SIZE_MAX) return Buffer.allocUnsafeSlow(bytes)
    const size = sizeFor(bytes)
    const found = this.#free.get(size)?.pop()
    if (found === undefined) return Buffer.allocUnsafeSlow(size)
    this.#bytes -= size
    return found
  }

  /** Memory from `take` that nothing refers to any more. */
  give(memory: Uint8Array): void {
    const size = memory.length
    if (size < SIZE_MIN || size > SIZE_MAX || this.#bytes + size > this.#bytesMax || sizeFor(size) !== size) return
    this.#bytes += size
    const free = this.#free.get(size)
    if (free === undefined) this.#free.set(size, [memory])
    else free.push(memory)
  }
}

function sizeFor(bytes: number): number {
  let size = SIZE_MIN
  while (size < bytes) size *= 2
  return size
}
