import type { Codec } from '../../schema/index.ts'
import type { Outcome, OutcomeIdentity, StoredOutcome } from './outcome.ts'

/** An outcome as callers get it, its reply decoded. Throws `schema-mismatch` for a reply that is none of this codec's. */
export function readOutcome<Reply>(
  identity: OutcomeIdentity,
  stored: StoredOutcome,
  codec: Codec<Reply> | undefined,
): Outcome<Reply> {
  if (stored.state === 'done') return { ...identity, state: 'done', reply: readReply(stored.reply, codec) }
  const { state, reason = 'no-answer', message = '' } = stored
  return { ...identity, state, reason, message }
}

function readReply<Reply>(reply: Uint8Array | string | undefined, codec: Codec<Reply> | undefined): Reply {
  if (reply === undefined) return undefined as Reply
  const text = () => (typeof reply === 'string' ? reply : Buffer.from(reply).toString('utf8'))
  if (codec === undefined) return jsonOr(text()) as Reply
  return codec.decode({ value: typeof reply === 'string' ? new TextEncoder().encode(reply) : reply, text })
}

/** Who asks for an intent it did not send has no codec: JSON, as most replies are, else the text as it is. */
function jsonOr(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
