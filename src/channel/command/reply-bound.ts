import type { StoredOutcome } from './outcome.ts'

/**
 * An outcome is stored and reported as one record of JSON, of which a message's 1 MiB leaves the reply this much: the
 * rest is for what stands beside it.
 */
const REPLY_BYTES_MAX = 1024 * 1024 - 64 * 1024
/** JSON writes one character in six bytes at most. */
const BYTES_PER_CHARACTER_MAX = 6

type Verdict = Omit<StoredOutcome, 'atMs'>

/** The verdict over a handler that came to its end with this reply. */
export function doneWith(reply: Uint8Array | string): Verdict {
  const bytes = recordedBytes(reply)
  if (bytes <= REPLY_BYTES_MAX) return { state: 'done', reply }
  return tooLarge(`its reply takes ${bytes} bytes in the record of its outcome, at most ${REPLY_BYTES_MAX}`)
}

/** What stands of an outcome that was refused as too large by whoever was to store it; undefined when nothing can be left out. */
export function withoutReply(outcome: StoredOutcome): StoredOutcome | undefined {
  if (outcome.reply === undefined) return undefined
  return { ...tooLarge('what stores its outcome takes no reply of that size'), atMs: outcome.atMs }
}

function tooLarge(why: string): Verdict {
  const message = `The handler came to its end, but ${why}; reply with less, or put the bytes into an object store and reply where they are`
  return { state: 'failed', reason: 'reply-too-large', message }
}

/** As `outcomeToJson` writes it. Only what might be too large is looked at closely. */
function recordedBytes(reply: Uint8Array | string): number {
  if (typeof reply !== 'string') return Math.ceil(reply.byteLength / 3) * 4
  if (reply.length * BYTES_PER_CHARACTER_MAX <= REPLY_BYTES_MAX) return reply.length
  return reply.length > REPLY_BYTES_MAX ? Buffer.byteLength(reply) : Buffer.byteLength(JSON.stringify(reply))
}
