import type { Position } from '../../bus/index.ts'

/**
 * Commands end in another order than they came; a group acknowledges in order. This tells how far one partition is
 * done without a gap: what is acknowledged never passes a command whose outcome is not stored.
 */
export class AckTracker {
  /** Given and not yet covered by an acknowledgment, in order. */
  readonly #open: { readonly position: Position; done: boolean }[] = []

  /** Positions of one partition come in ascending order; one that comes again while open is the same command. */
  given(position: Position): void {
    const last = this.#open.at(-1)
    if (last !== undefined && last.position.sequence >= position.sequence) return
    this.#open.push({ position, done: false })
  }

  /** Marks one as done; returns up to where to acknowledge now, when that has moved. */
  done(position: Position): Position | undefined {
    const entry = this.#open[this.#placeOf(position.sequence)]
    if (entry?.position.sequence !== position.sequence) {
      // Given again although it was done: its acknowledgment was lost, so it is made again.
      const first = this.#open[0]
      return first === undefined || first.position.sequence > position.sequence ? position : undefined
    }
    entry.done = true
    let count = 0
    while (this.#open[count]?.done) count += 1
    return this.#open.splice(0, count).at(-1)?.position
  }

  get open(): number {
    return this.#open.length
  }

  /** The index of the first open one at or behind the sequence. One command may run long while thousands pass it. */
  #placeOf(sequence: number): number {
    let low = 0
    let high = this.#open.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#open[middle]!.position.sequence < sequence) low = middle + 1
      else high = middle
    }
    return low
  }
}
