import type { LogEntry } from '../../src/consensus/index.ts'
import type { Machine } from './machine.ts'

/** Of one client: which numbers came, and how often the same came again. */
export interface Tally {
  /** Different numbers. */
  readonly count: number
  /** Whether they came in order, without one twice. */
  readonly isOrdered: boolean
  readonly last: number
}

/** Counts commands of clients that number them: a client's id (4 bytes), the number (4), anything. */
export class TallyMachine implements Machine {
  readonly #tallies = new Map<number, { count: number; isOrdered: boolean; last: number }>()

  apply(entries: readonly LogEntry[]): void {
    let [client, tally] = [-1, { count: 0, isOrdered: true, last: 0 }]
    for (const { data } of entries) {
      const from = data[0]! | (data[1]! << 8)
      if (from !== client) {
        client = from
        tally = this.#tallyOf(from)
      }
      const number = (data[4]! | (data[5]! << 8) | (data[6]! << 16) | (data[7]! << 24)) >>> 0
      tally.count += 1
      if (number <= tally.last) tally.isOrdered = false
      tally.last = number
    }
  }

  #tallyOf(client: number) {
    const found = this.#tallies.get(client) ?? { count: 0, isOrdered: true, last: 0 }
    this.#tallies.set(client, found)
    return found
  }

  answer(): undefined {
    return undefined
  }

  read(): readonly [] {
    return []
  }

  snapshot(): Uint8Array {
    return Buffer.from(JSON.stringify([...this.#tallies]))
  }

  restore(state: Uint8Array): void {
    this.#tallies.clear()
    const stored = JSON.parse(Buffer.from(state).toString()) as Array<[number, Tally]>
    for (const [client, tally] of stored) this.#tallies.set(client, { ...tally })
  }

  audit(): Record<string, Tally> {
    return Object.fromEntries(this.#tallies)
  }
}
