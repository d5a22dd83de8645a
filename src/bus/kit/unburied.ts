import { errorText, type Random, SkeinError } from '../../core/index.ts'
import type { HeldMessage, HeldMessages } from './held-messages.ts'

const AGAIN_MS = 1_000
const AGAIN_MS_MAX = 60_000
/** The reader itself can do no more: its caller is told what it is told of everything else. */
const OF_THE_READER: ReadonlySet<string> = new Set(['closed', 'revoked', 'log-poisoned'])

export interface Unburied {
  readonly message: HeldMessage
  /** Why it is dead. */
  readonly error: string
  /** Why its letter could not be stored. */
  readonly cause: unknown
  readonly topic: string
  readonly partition: number
  /** On the clock by which held messages come due. */
  readonly nowMs: number
  readonly random: Random
}

/**
 * A dead letter could not be stored: the message is kept, its key waits, and the letter is tried again, ever more
 * seldom. Gives what its reader is to be told.
 */
export function keepUnburied(held: HeldMessages, unburied: Unburied): unknown {
  const { message, error, cause, topic, partition, nowMs, random } = unburied
  const burials = (message.burials ?? 0) + 1
  message.burials = burials
  message.error = error
  const limitMs = Math.min(AGAIN_MS_MAX, AGAIN_MS * 2 ** Math.min(burials - 1, 10))
  held.keepUnburied(message, nowMs + limitMs * (0.5 + random.float() / 2))
  if (cause instanceof SkeinError && OF_THE_READER.has(cause.code)) return cause
  const why = errorText(cause)
  return new SkeinError(
    'dead-letter-failed',
    `Cannot store the dead letter of message ${message.offset} in partition ${partition} of "${topic}": ${why}; the message ` +
      'is kept, holds back its key, and its letter is tried again: mend the cause',
    { cause, retryable: true, details: { topic, partition, offset: message.offset, attempts: message.attempts } },
  )
}

/** One after another, so that letters stand in the order of the deaths; one that fails stops no other. Gives the first failure. */
export async function buryAll<T>(
  dead: readonly T[],
  bury: (one: T) => Promise<void>,
): Promise<{ readonly error: unknown } | undefined> {
  let failed: { readonly error: unknown } | undefined
  for (const one of dead) {
    try {
      await bury(one)
    } catch (error) {
      failed ??= { error }
    }
  }
  return failed
}
