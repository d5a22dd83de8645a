import { type Clock, type ErrorCode, type Random, SkeinError } from '../core/index.ts'
import { backOff } from './back-off.ts'

/** What only a person can mend: trying again changes nothing. */
const FINAL: ReadonlySet<ErrorCode> = new Set([
  'aborted',
  'bad-config',
  'closed',
  'fenced',
  'future-version',
  'log-poisoned',
  'not-found',
  'unauthorised',
])

/** The message is at fault, and will be however often it is sent. */
const MESSAGE_FAULTS: ReadonlySet<ErrorCode> = new Set([
  'bad-argument',
  'bad-subject',
  'message-too-large',
  'schema-mismatch',
  'unsupported',
])

export function isMessageFault({ code }: SkeinError): boolean {
  return MESSAGE_FAULTS.has(code)
}

export function isFinal({ code }: SkeinError): boolean {
  return FINAL.has(code)
}

export interface RetryingOptions {
  readonly clock: Clock
  readonly random: Random
  readonly signal: AbortSignal
  readonly onProblem: (problem: SkeinError) => void
}

/** Tries until it works, with back-off. Rejects with the signal's reason, and with what only a person can mend. */
export async function retrying<Result>(action: () => Promise<Result>, options: RetryingOptions): Promise<Result> {
  for (let tries = 0; ; tries += 1) {
    try {
      return await action()
    } catch (error) {
      options.signal.throwIfAborted()
      if (!(error instanceof SkeinError) || isFinal(error)) throw error
      options.onProblem(error)
      await backOff(tries, options)
    }
  }
}
