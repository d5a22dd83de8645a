import type { Random } from '../src/core/index.ts'

const PAGE_BYTES = 4096

/**
 * The content of one file as the system holds it, and what of it would be there after a power loss: pages written since
 * the last sync may or may not have reached the disk, in any order and in part.
 */
export class SimulatedFile {
  size = 0
  #content: Buffer
  #durableSize = 0
  /** Pages written since the last sync, as they are on the disk. */
  #dirty = new Map<number, Buffer>()
  /** Pages that a failed sync left behind as if they were clean: no later sync writes them, only a new write does. */
  readonly #forsaken = new Map<number, Buffer>()
  /** What was written since the last sync and cut off again: the system may have put it on the disk in between. */
  readonly #overtaken = new Map<number, Buffer>()
  #overtakenSize = 0

  constructor(content: Uint8Array = Buffer.alloc(0)) {
    this.#content = Buffer.from(content)
    this.size = content.byteLength
    this.#durableSize = content.byteLength
  }

  bytes(): Buffer {
    return this.#content.subarray(0, this.size)
  }

  write(bytes: Uint8Array, position: number): void {
    const end = position + bytes.byteLength
    this.#reserve(end)
    this.#touch(position, end)
    this.#content.set(bytes, position)
    this.size = Math.max(this.size, end)
  }

  read(target: Uint8Array, position: number): number {
    const part = this.bytes().subarray(position, position + target.byteLength)
    target.set(part)
    return part.byteLength
  }

  truncate(length: number): void {
    this.#reserve(length)
    if (length < this.size) this.#overtake(length)
    this.#touch(Math.min(length, this.size), Math.max(length, this.size))
    this.#content.fill(0, length)
    this.size = length
  }

  #overtake(length: number): void {
    this.#overtakenSize = Math.max(this.#overtakenSize, this.size)
    for (const page of this.#dirty.keys()) {
      if ((page + 1) * PAGE_BYTES > length) this.#overtaken.set(page, this.#page(page))
    }
  }

  #page(page: number): Buffer {
    return Buffer.from(this.#content.subarray(page * PAGE_BYTES, (page + 1) * PAGE_BYTES))
  }

  sync(): void {
    this.#dirty.clear()
    this.#overtaken.clear()
    this.#overtakenSize = 0
    this.#durableSize = this.size
  }

  failSync(): void {
    for (const [page, before] of this.#dirty) this.#forsaken.set(page, before)
    this.#dirty.clear()
  }

  /** Makes the content what the disk has after the power failed. */
  losePower(random: Random): void {
    const sizeIfCut = this.#settleSize(random)
    for (const [page, before] of this.#forsaken) this.#content.set(before, page * PAGE_BYTES)
    // A cut that was not synced is as if it had not been, or had: of the whole file, as systems keep it.
    const isUncut = this.#overtaken.size > 0 && random.float() < 0.3
    for (const [page, before] of this.#dirty) {
      const overtaken = isUncut ? this.#overtaken.get(page) : undefined
      if (overtaken === undefined) this.#settlePage(random, page, before)
      else this.#content.set(overtaken, page * PAGE_BYTES)
    }
    this.#forsaken.clear()
    this.#dirty.clear()
    const size = isUncut ? this.#overtakenSize : sizeIfCut
    this.#overtaken.clear()
    this.#overtakenSize = 0
    this.#reserve(size)
    this.#content.fill(0, size)
    this.size = size
    this.#durableSize = size
  }

  /** The page as it was, as it is, or torn: one of them up to some byte, the other from there. */
  #settlePage(random: Random, page: number, before: Buffer): void {
    const outcome = random.float()
    if (outcome < 0.4) return
    const start = page * PAGE_BYTES
    if (outcome < 0.8) {
      this.#content.set(before, start)
      return
    }
    const cut = Math.floor(random.float() * PAGE_BYTES)
    if (outcome < 0.9) this.#content.set(before.subarray(0, cut), start)
    else this.#content.set(before.subarray(cut), start + cut)
  }

  /** The length that was synced, the one that was seen, or one between. */
  #settleSize(random: Random): number {
    const outcome = random.float()
    if (outcome < 0.3) return this.#durableSize
    if (outcome < 0.7) return this.size
    const shortest = Math.min(this.#durableSize, this.size)
    return shortest + Math.floor(random.float() * Math.abs(this.#durableSize - this.size))
  }

  #touch(start: number, end: number): void {
    for (let page = Math.floor(start / PAGE_BYTES); page * PAGE_BYTES < end; page += 1) {
      if (this.#dirty.has(page)) continue
      const forsaken = this.#forsaken.get(page)
      this.#forsaken.delete(page)
      this.#reserve((page + 1) * PAGE_BYTES)
      this.#dirty.set(page, forsaken ?? this.#page(page))
    }
  }

  #reserve(end: number): void {
    const wanted = Math.ceil(end / PAGE_BYTES) * PAGE_BYTES
    if (wanted <= this.#content.byteLength) return
    const grown = Buffer.alloc(Math.max(wanted, this.#content.byteLength * 2))
    grown.set(this.#content)
    this.#content = grown
  }
}
