import type { AppendedRange } from './tail.ts'

const RANGES_MAX = 256

/**
 * Where records lie that may concern a filtered reader, as it was told, so that it reads only these: ten thousand readers
 * of one topic, each of a subject of its own, would otherwise read each other's records all the time.
 */
export class ToldRanges {
  #ranges: AppendedRange[] = []

  get isEmpty(): boolean {
    return this.#ranges.length === 0
  }

  get first(): AppendedRange | undefined {
    return this.#ranges[0]
  }

  /** Ascending; the same range may be told again, once per subject. False when there are too many to remember. */
  add(range: AppendedRange): boolean {
    const before = this.#ranges.at(-1)
    if (before !== undefined && range.lastOffset <= before.lastOffset) return true
    if (before?.lastOffset === range.baseOffset - 1) {
      this.#ranges[this.#ranges.length - 1] = {
        baseOffset: before.baseOffset,
        lastOffset: range.lastOffset,
        byteLength: before.byteLength + range.byteLength,
      }
      return true
    }
    if (this.#ranges.length === RANGES_MAX) return false
    this.#ranges.push(range)
    return true
  }

  /** Everything through this offset has been read. */
  passTo(lastOffset: number): void {
    const left = this.#ranges.findIndex((range) => range.lastOffset > lastOffset)
    this.#ranges.splice(0, left === -1 ? this.#ranges.length : left)
    const first = this.#ranges[0]
    if (first !== undefined && first.baseOffset <= lastOffset)
      this.#ranges[0] = { ...first, baseOffset: lastOffset + 1 }
  }

  clear(): void {
    this.#ranges = []
  }
}
