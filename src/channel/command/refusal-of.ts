import { type ErrorCode, SkeinError } from '../../core/index.ts'

/** What is wrong with the record itself: no repeat of it fares better. */
const REFUSALS: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['message-too-large', 'bad-subject', 'bad-argument'])

/** Why a bus or an inbox refuses a record for ever; undefined for every other failure. */
export function refusalOf(error: unknown): ErrorCode | undefined {
  for (let current = error; current instanceof SkeinError; current = current.cause) {
    if (REFUSALS.has(current.code)) return current.code
  }
  return undefined
}
