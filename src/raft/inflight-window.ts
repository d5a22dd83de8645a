import { assert } from '../core/index.ts'

export interface InflightLimits {
  readonly messagesMax: number
  readonly bytesMax: number
}

/** The appends on their way to one peer: the last index and the bytes of each, oldest first, in a ring that never grows. */
export class InflightWindow {
  readonly #limits: InflightLimits
  readonly #lastIndexes: Float64Array
  readonly #sizes: Float64Array
  #start = 0
  #count = 0
  #bytes = 0

  constructor(limits: InflightLimits) {
    assert(limits.messagesMax >= 1 && limits.bytesMax >= 1, 'a window lets at least one message through')
    this.#limits = limits
    this.#lastIndexes = new Float64Array(limits.messagesMax)
    this.#sizes = new Float64Array(limits.messagesMax)
  }

  get count(): number {
    return this.#count
  }

  get bytes(): number {
    return this.#bytes
  }

  /** A message may be sent while this is false; the one that fills the window may be larger than what was left. */
  get full(): boolean {
    return this.#count === this.#limits.messagesMax || this.#bytes >= this.#limits.bytesMax
  }

  /** An append whose last entry is `lastIndex` was sent. Indexes rise. */
  add(lastIndex: number, bytes: number): void {
    assert(!this.full, 'an append was sent although the window is full')
    const at = (this.#start + this.#count) % this.#limits.messagesMax
    this.#lastIndexes[at] = lastIndex
    this.#sizes[at] = bytes
    this.#count += 1
    this.#bytes += bytes
  }

  /** Everything through `index` has arrived. */
  freeThrough(index: number): void {
    while (this.#count > 0 && this.#lastIndexes[this.#start]! <= index) {
      this.#bytes -= this.#sizes[this.#start]!
      this.#start = (this.#start + 1) % this.#limits.messagesMax
      this.#count -= 1
    }
  }

  clear(): void {
    this.#start = 0
    this.#count = 0
    this.#bytes = 0
  }
}
