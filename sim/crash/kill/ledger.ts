/** What clients were told while a node was killed again and again: per key, numbers from 1 in the order of sending. */
export class KillLedger {
  readonly #acknowledged = new Map<string, Set<number>>()
  #count = 0
  #weak = 0

  acknowledge(key: string, number: number): void {
    const numbers = numbersOf(this.#acknowledged, key)
    if (numbers.has(number)) return
    numbers.add(number)
    this.#count += 1
  }

  /** So many messages got a receipt that says less than durable. */
  noteWeak(messages: number): void {
    this.#weak += messages
  }

  get weak(): number {
    return this.#weak
  }

  get count(): number {
    return this.#count
  }

  acknowledged(): ReadonlyMap<string, ReadonlySet<number>> {
    return this.#acknowledged
  }
}

/** One message read back, in the log's order. */
export interface ReadBack {
  readonly key: string
  readonly number: number
  /** Its bytes are those that were sent. */
  readonly intact: boolean
}

export interface KillFindings {
  /** Acknowledged, and not in the log as it was sent. */
  readonly lost: number
  /** Numbers missing below one that is there: clients never go on without the one before. */
  readonly gaps: number
  /** First occurrences that come after a later number of their key. */
  readonly reordered: number
  /** Occurrences beyond the first: permitted, but counted. */
  readonly duplicates: number
}

/** Compares what clients were told with what is there. Pure. */
export function compare(
  acknowledged: ReadonlyMap<string, ReadonlySet<number>>,
  readBack: Iterable<ReadBack>,
): KillFindings {
  const present = new Map<string, Set<number>>()
  const greatest = new Map<string, number>()
  let duplicates = 0
  let reordered = 0
  for (const { key, number, intact } of readBack) {
    if (!intact) continue
    const numbers = numbersOf(present, key)
    const last = greatest.get(key) ?? 0
    if (numbers.has(number)) duplicates += 1
    else if (number < last) reordered += 1
    numbers.add(number)
    if (number > last) greatest.set(key, number)
  }
  let lost = 0
  for (const [key, numbers] of acknowledged) {
    for (const number of numbers) if (present.get(key)?.has(number) !== true) lost += 1
  }
  let gaps = 0
  for (const [key, numbers] of present) gaps += greatest.get(key)! - numbers.size
  return { lost, gaps, reordered, duplicates }
}

function numbersOf(byKey: Map<string, Set<number>>, key: string): Set<number> {
  const known = byKey.get(key)
  if (known !== undefined) return known
  const made = new Set<number>()
  byKey.set(key, made)
  return made
}
