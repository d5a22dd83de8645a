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
  #claiming: NextClaim<Item> | undefined
  #claimingIndex = 0

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

  get isIdle(): boolean {
    return this.#waiting.length === 0 && this.#claiming === undefined && this.running.length === 0
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

  /** Whether `next()` would give one. */
  get mayClaim(): boolean {
    return this.#claiming === undefined && this.#nextIndex() !== -1
  }

  /** The next claim to make, or undefined while one is being made or nothing may go on. */
  next(): NextClaim<Item> | undefined {
    if (this.#claiming !== undefined) return undefined
    const index = this.#nextIndex()
    if (index === -1) return undefined
    const item = this.#waiting[index]!
    const replaces = this.#waiting.slice(0, index).filter((before) => before.overlap === 'queue')
    this.#waiting.splice(index, 1)
    this.#claiming = { item, replaces }
    this.#claimingIndex = index
    return this.#claiming
  }

  /** The claim was made: its handler starts. Returns the running command that it replaces. */
  claimed(): Item | undefined {
    const claim = this.#takeClaim()
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
  notClaimed(): void {
    this.#takeClaim()
  }

  /** It could not be tried: it goes back to where it waited. */
  putBack(): void {
    const claim = this.#takeClaim()
    this.#waiting.splice(this.#claimingIndex, 0, claim.item)
  }

  /** The handler came to its end, or is given up. One that was replaced has left its place already. */
  ended(item: Item): void {
    this.#parallel.delete(item)
    if (this.#exclusive === item) this.#exclusive = undefined
  }

  #nextIndex(): number {
    const head = this.#waiting[0]
    if (head === undefined) return -1
    return this.#mayGo(head) ? 0 : this.#waiting.findIndex((item) => item.overlap === 'replace')
  }

  #mayGo(item: Item): boolean {
    if (item.overlap === 'parallel') return this.#parallel.size < this.#parallelMax
    return item.overlap === 'replace' || this.#exclusive === undefined
  }

  #takeClaim(): NextClaim<Item> {
    const claim = this.#claiming
    if (claim === undefined) throw new Error('Assertion failed: no claim is being made')
    this.#claiming = undefined
    return claim
  }
}
