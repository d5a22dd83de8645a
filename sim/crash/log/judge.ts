import type { LogLedger } from './log-ledger.ts'
import type { ReadBack } from './read-back.ts'
import { numberIn } from './record-text.ts'

export interface Verdict {
  /** Promised records that cannot be read, whether the log says so or not. */
  readonly lost: number
  /** Records wrong, out of order, or missing without an error; failures without a type. */
  readonly silent: number
  /** Offsets of promised records that the log says are lost. */
  readonly reported: readonly number[]
  /** What was wrong, for a person. At most a few. */
  readonly notes: readonly string[]
}

const NOTES_MAX = 5

/**
 * Compares what writers were told and readers saw with what the log gives now. Pure, and general: it knows nothing of
 * how the log works, only what it promises.
 */
export function judge(
  ledger: LogLedger,
  found: ReadBack,
  promised: { readonly durability: 'written' | 'durable' } = { durability: 'durable' },
): Verdict {
  const judging = new Judging(found)
  const byOffset = judging.readRecords(ledger)
  judging.checkGaps(byOffset)
  const { promised: startMin, asked: startMax } = ledger.start
  if (found.startOffset < startMin || found.startOffset > startMax) {
    judging.wrong(`the log begins at ${found.startOffset}, not between ${startMin} and ${startMax}`)
  }
  for (const attempt of ledger.attempts) {
    if (attempt.untyped !== undefined) judging.wrong(`append failed without a type: ${attempt.untyped}`)
    if (attempt.outcome !== 'acknowledged') continue
    if (promised.durability === 'durable' && attempt.durability !== 'durable') continue
    for (let index = 0; index < attempt.count; index += 1) {
      judging.expect(byOffset, attempt.baseOffset! + index, attempt.firstNumber + index)
    }
  }
  for (const [offset, number] of ledger.seen) judging.expect(byOffset, offset, number)
  return judging.verdict()
}

class Judging {
  readonly #found: ReadBack
  readonly #lost = new Set<number>()
  readonly #reported = new Set<number>()
  readonly #notes: string[] = []
  #silent = 0

  constructor(found: ReadBack) {
    this.#found = found
    for (const failure of found.failures) this.wrong(`reading failed: ${failure}`)
  }

  wrong(note: string): void {
    this.#silent += 1
    if (this.#notes.length < NOTES_MAX) this.#notes.push(note)
  }

  /** Numbers by offset, after checking that each record is one that was given and stands in the order of giving. */
  readRecords(ledger: LogLedger): Map<number, number> {
    const refused = new Set<number>()
    let numberMax = 0
    for (const attempt of ledger.attempts) {
      numberMax = attempt.firstNumber + attempt.count - 1
      if (attempt.outcome !== 'refused') continue
      for (let index = 0; index < attempt.count; index += 1) refused.add(attempt.firstNumber + index)
    }
    const byOffset = new Map<number, number>()
    let last = { offset: -1, number: 0 }
    for (const { offset, text } of this.#found.records) {
      const number = numberIn(text)
      if (number === undefined || number > numberMax) this.wrong(`offset ${offset} holds "${text.slice(0, 40)}"`)
      else if (refused.has(number)) this.wrong(`offset ${offset} holds ${number}, which was refused`)
      else if (offset <= last.offset || number <= last.number) {
        this.wrong(`${number} at offset ${offset} comes after ${last.number} at ${last.offset}`)
      } else {
        byOffset.set(offset, number)
        last = { offset, number }
      }
    }
    return byOffset
  }

  /** Every offset between start and end is read, or said to be lost. */
  checkGaps(byOffset: ReadonlyMap<number, number>): void {
    for (let offset = this.#found.startOffset; offset < this.#found.endOffset; offset += 1) {
      if (!byOffset.has(offset) && !this.#isReported(offset)) this.wrong(`offset ${offset} is missing without an error`)
    }
  }

  expect(byOffset: ReadonlyMap<number, number>, offset: number, number: number): void {
    if (offset < this.#found.startOffset || byOffset.get(offset) === number) return
    if (!this.#lost.has(offset) && this.#notes.length < NOTES_MAX) {
      this.#notes.push(`${number} was promised at offset ${offset}`)
    }
    this.#lost.add(offset)
    if (this.#isReported(offset)) this.#reported.add(offset)
    else this.#silent += 1
  }

  #isReported(offset: number): boolean {
    return this.#found.lost.some((range) => offset >= range.from && offset < range.to)
  }

  verdict(): Verdict {
    return { lost: this.#lost.size, silent: this.#silent, reported: [...this.#reported], notes: this.#notes }
  }
}
