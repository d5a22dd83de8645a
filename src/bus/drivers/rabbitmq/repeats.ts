import type { Origin } from './amqp-delivery.ts'

const PRODUCERS_MAX = 16_384

/**
 * Finds what a writer sent twice because a connection broke before the confirm came: within one partition the numbers of one
 * writer rise, so that a number no greater than the last is a repeat.
 */
export class Repeats {
  #last = new Map<string, number>()
  #older = new Map<string, number>()

  isRepeat({ producer, sequence }: Origin): boolean {
    if (producer === undefined) return false
    const last = this.#last.get(producer) ?? this.#older.get(producer)
    if (last !== undefined && sequence <= last) return true
    this.#last.set(producer, sequence)
    if (this.#last.size >= PRODUCERS_MAX) this.#forget()
    return false
  }

  /** Two generations: whoever wrote lately is in the newer one. */
  #forget(): void {
    this.#older = this.#last
    this.#last = new Map()
  }

  clear(): void {
    this.#last.clear()
    this.#older.clear()
  }
}
