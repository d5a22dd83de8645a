interface AttemptRange {
  readonly from: number
  /** Exclusive. */
  readonly to: number
  readonly attempts: number
}

/**
 * How often each offset was given before, as sorted disjoint ranges: a crash abandons whole batches at once, and one
 * entry per message would cost more than the messages.
 */
export class AttemptRanges {
  #ranges: AttemptRange[] = []

  get isEmpty(): boolean {
    return this.#ranges.length === 0
  }

  attemptsOf(offset: number): number {
    for (const range of this.#ranges) {
      if (offset < range.from) return 0
      if (offset < range.to) return range.attempts
    }
    return 0
  }

  /** Counts `attempts` more for every offset from `from` up to, not including, `to`. */
  add(from: number, to: number, attempts: number): void {
    if (to <= from || attempts === 0) return
    const next: AttemptRange[] = []
    let open = from
    for (const range of this.#ranges) {
      if (range.to <= from || range.from >= to) {
        if (range.from >= to && open < to) {
          next.push({ from: open, to, attempts })
          open = to
        }
        next.push(range)
        continue
      }
      if (open < range.from) next.push({ from: open, to: range.from, attempts })
      next.push(...splitRange(range, { from, to, attempts }))
      open = Math.min(range.to, to)
    }
    if (open < to) next.push({ from: open, to, attempts })
    this.#ranges = next.filter((range) => range.attempts > 0)
  }

  /** Replaces the count of one offset. */
  set(offset: number, attempts: number): void {
    this.add(offset, offset + 1, attempts - this.attemptsOf(offset))
  }

  /** Forgets everything below `offset`. */
  trim(offset: number): void {
    if (this.#ranges.length === 0 || this.#ranges[0]!.from >= offset) return
    this.#ranges = this.#ranges
      .filter((range) => range.to > offset)
      .map((range) => (range.from >= offset ? range : { ...range, from: offset }))
  }

  entries(): ReadonlyArray<readonly [from: number, to: number, attempts: number]> {
    return this.#ranges.map((range) => [range.from, range.to, range.attempts] as const)
  }
}

function splitRange(range: AttemptRange, added: AttemptRange): AttemptRange[] {
  const parts: AttemptRange[] = []
  const from = Math.max(range.from, added.from)
  const to = Math.min(range.to, added.to)
  if (range.from < from) parts.push({ from: range.from, to: from, attempts: range.attempts })
  parts.push({ from, to, attempts: range.attempts + added.attempts })
  if (to < range.to) parts.push({ from: to, to: range.to, attempts: range.attempts })
  return parts
}
