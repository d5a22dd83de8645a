import { SkeinError } from '../../../src/core/index.ts'
import type { AppendDurability, Log } from '../../../src/log/index.ts'
import { numberedRecords } from './record-text.ts'

/** One append, and what came of it. */
export interface Attempt {
  readonly firstNumber: number
  readonly count: number
  readonly durability: AppendDurability
  /** `refused`: the log said that nothing of it is kept. `unknown`: it may be there or not. */
  outcome: 'unknown' | 'acknowledged' | 'refused'
  baseOffset: number | undefined
  /** Not a `SkeinError`, or no known code: a failure that nobody could handle. */
  untyped: unknown
}

/** Codes with which the log promises that nothing of the append was kept. */
const REFUSALS: ReadonlySet<string> = new Set(['disk-full', 'closed', 'overloaded', 'bad-argument', 'unsupported'])

/** What writers were told, and what readers saw, over all lives of one log. */
export class LogLedger {
  readonly attempts: Attempt[] = []
  /** By offset, the numbers that a reader was given at a time when that promised they would stay. */
  readonly seen = new Map<number, number>()
  /** Where the log was told to begin: done, and asked for at most. */
  readonly start = { promised: 0, asked: 0 }
  // All of one width.
  #nextNumber = 1_000_001

  /** Takes over what came of an append in an earlier life. */
  resume(attempt: Attempt): void {
    this.attempts.push(attempt)
    this.#nextNumber = attempt.firstNumber + attempt.count
  }

  /** Appends the next numbers; the promise resolves when the outcome is written down. */
  async append(log: Log, count: number, durability: AppendDurability): Promise<Attempt> {
    const attempt: Attempt = {
      firstNumber: this.#nextNumber,
      count,
      durability,
      outcome: 'unknown',
      baseOffset: undefined,
      untyped: undefined,
    }
    this.#nextNumber += count
    this.attempts.push(attempt)
    try {
      const { baseOffset } = await log.append(
        numberedRecords(attempt.firstNumber, count),
        { producerId: 1, sequence: this.attempts.length, epoch: 0 },
        durability,
      )
      attempt.baseOffset = baseOffset
      attempt.outcome = 'acknowledged'
    } catch (error) {
      if (!(error instanceof SkeinError)) attempt.untyped = error
      else if (REFUSALS.has(error.code)) attempt.outcome = 'refused'
    }
    return attempt
  }

  async advanceStart(log: Log, wanted: number): Promise<void> {
    const offset = Math.min(wanted, log.endOffset)
    this.start.asked = Math.max(this.start.asked, offset)
    try {
      await log.advanceStart(offset)
      this.start.promised = Math.max(this.start.promised, offset)
    } catch (error) {
      if (!(error instanceof SkeinError)) throw error
    }
  }

  /** Records acknowledged as durable. */
  get acknowledgedRecords(): number {
    return this.attempts.reduce(
      (sum, one) => sum + (one.outcome === 'acknowledged' && one.durability === 'durable' ? one.count : 0),
      0,
    )
  }
}
