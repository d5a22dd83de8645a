import type { LogBatch } from './log.ts'

const BYTES_MAX = 128 * 1024

/** The newest batches in memory, as long as they are small, so that who reads at the end needs no disk. */
export class Tail {
  #batches: LogBatch[] = []
  #bytes = 0

  /** Batches come in order and without gaps; those of a group that was too large to keep are told by `clear`. */
  add(batch: LogBatch): void {
    this.#batches.push(batch)
    this.#bytes += batch.bytes.byteLength
    if (this.#bytes > BYTES_MAX) this.#forgetOldest()
  }

  /** Forgets down to half, so that the array is not shifted for each batch. */
  #forgetOldest(): void {
    let from = 0
    while (this.#bytes > BYTES_MAX / 2) {
      this.#bytes -= this.#batches[from]!.bytes.byteLength
      from += 1
    }
    this.#batches = this.#batches.slice(from)
  }

  clear(): void {
    if (this.#batches.length === 0) return
    this.#batches = []
    this.#bytes = 0
  }

  /** Batches from the one that holds `fromOffset` up to about `maxBytes`; undefined when they are not all here. */
  read(fromOffset: number, maxBytes: number, endOffset: number): readonly LogBatch[] | undefined {
    const first = this.#batches[0]
    if (first === undefined || fromOffset < first.baseOffset) return undefined
    let start = this.#batches.length - 1
    while (this.#batches[start]!.baseOffset > fromOffset) start -= 1
    let end = start
    for (let bytes = 0; end < this.#batches.length && bytes < maxBytes; end += 1) {
      const batch = this.#batches[end]!
      if (batch.lastOffset >= endOffset) break
      bytes += batch.bytes.byteLength
    }
    return end === start ? undefined : this.#batches.slice(start, end)
  }
}
