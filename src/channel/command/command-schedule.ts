import type { Overlap } from './definition.ts'

/** One command between its arrival and the end of its handler. */
export interface Scheduled {
  readonly overlap: Overlap
}

/** The next command to claim, and those waiting before it that it makes pointless once claimed. */
export interface NextClaim<Item> {
  readonly item: Item
  readonly replaces: readonly Item[]
}

/**
 * Which command is claimed when: an agent's commands are claimed in the order they came. `queue` and `replace` share
 * one place: a queued command waits for it, a replacing one takes it. `parallel` commands run beside it, up to a bound.
 * A replacing command does not wait behind others: those queued before it are replaced before they ran. Pure: no clock,
 * no I/O; what it says depends on the calls alone.
 */
export class CommandSchedule<Item extends Scheduled> {
  readonly #parallelMax: number
  readonly #waiting: Item[] = []
  readonly #parallel = new Set<Item>()
  #exclusive: Item | undefined
  /** Claims being made: one, or several of parallel commands. */
  readonly #claiming = new Set<NextClaim<Item>>()

  constructor(options: { readonly parallelMax: number }) {
    this.#parallelMax = options.parallelMax
  }

  /** Commands that came and are not yet being claimed, in order. */
  get waiting(): readonly Item[] {
    return this.#waiting
  }

  /** Commands whose handlers run. */
  get running(): readonly Item[] {
    return this.#exclusive === undefined ? [...this.#parallel] : [this.#exclusive, ...this.#parallel]
  }

  arrive(item: Item): void {
    this.#waiting.push(item)
  }

  /** Takes out a command that waits; false when it waits no longer. */
  withdraw(item: Item): boolean {
    const index = this.#waiting.indexOf(item)
    if (index === -1) return false
    this.#waiting.splice(index, 1)
    return true
  }

  /**
   * The next claim to make, or undefined while nothing may go on. Claims of parallel commands are made together, in
   * order; any other waits until no claim is being made.
   */
  next(): NextClaim<Item> | undefined {
    const index = this.#nextIndex()
    if (index === -1) return undefined
    const item = this.#waiting[index]!
    const replaces = this.#waiting.slice(0, index).filter((before) => before.overlap === 'queue')
    this.#waiting.splice(index, 1)
    const claim = { item, replaces }
    this.#claiming.add(claim)
    return claim
  }

  /** The claim was made: its handler starts. Returns the running command that it replaces. */
  claimed(claim: NextClaim<Item>): Item | undefined {
    this.notClaimed(claim)
    for (const item of claim.replaces) this.withdraw(item)
    if (claim.item.overlap === 'parallel') {
      this.#parallel.add(claim.item)
      return undefined
    }
    const replaced = this.#exclusive
    this.#exclusive = claim.item
    return replaced
  }

  /** The command is not to run; those it would have replaced wait on. */
  notClaimed(claim: NextClaim<Item>): void {
    if (!this.#claiming.delete(claim)) throw new Error('Assertion failed: this claim is not being made')
  }

  /** The handler came to its end, or is given up. One that was replaced has left its place already. */
  ended(item: Item): void {
    this.#parallel.delete(item)
    if (this.#exclusive === item) this.#exclusive = undefined
  }

  #nextIndex(): number {
    const head = this.#waiting[0]
    if (head === undefined) return -1
    if (this.#claiming.size > 0) return this.#mayJoin(head) ? 0 : -1
    return this.#mayGo(head) ? 0 : this.#waiting.findIndex((item) => item.overlap === 'replace')
  }

  #mayJoin(item: Item): boolean {
    if (!this.#mayGo(item) || item.overlap !== 'parallel') return false
    for (const claim of this.#claiming) if (claim.item.overlap !== 'parallel') return false
    return true
  }

  #mayGo(item: Item): boolean {
    if (item.overlap === 'parallel') return this.#parallel.size + this.#claiming.size < this.#parallelMax
    return item.overlap === 'replace' || this.#exclusive === undefined
  }
}
