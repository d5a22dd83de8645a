/** The messages of one batch that were given and are not settled. */
export class Hand {
  /** Rises with every batch given of the partition. */
  readonly ordinal: number
  readonly to: number
  readonly #first: number
  #from: number
  #left: number
  /** Ascending, when the batch has gaps; undefined when every offset between its ends was given. */
  readonly #offsets: readonly number[] | undefined
  #settledOnes: Set<number> | undefined

  constructor(
    ordinal: number,
    given: { readonly from: number; readonly to: number; readonly offsets?: readonly number[] | undefined },
  ) {
    this.ordinal = ordinal
    this.#first = given.from
    this.#from = given.from
    this.to = given.to
    this.#offsets = given.offsets
    this.#left = given.offsets?.length ?? given.to - given.from + 1
  }

  /** The first offset not settled. */
  get from(): number {
    return this.#from
  }

  get isEmpty(): boolean {
    return this.#left === 0
  }

  contains(offset: number): boolean {
    if (offset < this.#from || offset > this.to || this.#settledOnes?.has(offset) === true) return false
    return this.#offsets === undefined || this.#offsets[indexAtOrAfter(this.#offsets, offset)] === offset
  }

  /** Whether the batch had it, settled since or not. */
  gave(offset: number): boolean {
    if (offset < this.#first || offset > this.to) return false
    return this.#offsets === undefined || this.#offsets[indexAtOrAfter(this.#offsets, offset)] === offset
  }

  /** Every offset still in it. */
  offsets(): number[] {
    const all: number[] = []
    for (let offset = this.#from; offset <= this.to; offset += 1) if (this.contains(offset)) all.push(offset)
    return all
  }

  /** Settles everything up to the offset, which is included. */
  settleThrough(offset: number): void {
    if (offset >= this.to) {
      this.#left = 0
      return
    }
    if (this.#settledOnes !== undefined) {
      for (const one of this.#settledOnes) if (one <= offset) this.#settledOnes.delete(one)
    }
    this.#from = Math.max(this.#from, offset + 1)
    this.#left = this.#givenFrom(this.#from) - (this.#settledOnes?.size ?? 0)
    this.#skipSettled()
  }

  settleOne(offset: number): void {
    this.#settledOnes ??= new Set()
    this.#settledOnes.add(offset)
    this.#left -= 1
    if (this.#left > 0) this.#skipSettled()
  }

  #givenFrom(offset: number): number {
    if (this.#offsets === undefined) return this.to - offset + 1
    return this.#offsets.length - indexAtOrAfter(this.#offsets, offset)
  }

  /** Moves the front over what was settled one by one and over gaps. */
  #skipSettled(): void {
    while (!this.contains(this.#from) && this.#from < this.to) {
      this.#settledOnes?.delete(this.#from)
      this.#from += 1
    }
  }
}

function indexAtOrAfter(offsets: readonly number[], offset: number): number {
  let low = 0
  let high = offsets.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (offsets[middle]! < offset) low = middle + 1
    else high = middle
  }
  return low
}
