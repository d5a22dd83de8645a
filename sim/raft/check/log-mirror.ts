import type { Entry } from '../../../src/raft/index.ts'

/** A log as far as a checker needs it: what precedes it, and its entries. */
export class LogMirror {
  startIndex = 0
  startTerm = 0
  readonly #entries: Entry[] = []

  get lastIndex(): number {
    return this.startIndex + this.#entries.length
  }

  get lastTerm(): number {
    return this.#entries.at(-1)?.term ?? this.startTerm
  }

  /** Undefined beyond the end and before the beginning. */
  term(index: number): number | undefined {
    if (index === this.startIndex) return this.startTerm
    return this.#entries[index - this.startIndex - 1]?.term
  }

  entry(index: number): Entry | undefined {
    return this.#entries[index - this.startIndex - 1]
  }

  /** Takes in an entry; what stood there and behind it is gone. False when there is a gap before it. */
  put(entry: Entry): boolean {
    const kept = entry.index - this.startIndex - 1
    if (kept < 0 || kept > this.#entries.length) return false
    this.#entries.length = kept
    this.#entries.push(entry)
    return true
  }

  restart(index: number, term: number): void {
    this.startIndex = index
    this.startTerm = term
    this.#entries.length = 0
  }

  /** Lets go of entries through an index. */
  compact(index: number): void {
    if (index <= this.startIndex || index > this.lastIndex) return
    this.startTerm = this.term(index)!
    this.#entries.splice(0, index - this.startIndex)
    this.startIndex = index
  }
}
