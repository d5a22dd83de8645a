import type { Headers } from '../message.ts'
import { TTL_HEADER } from './stored-headers.ts'

/** The topic that keeps the dead letters of a topic. */
export function deadLetterTopic(topic: string): string {
  return `skein.dead.${topic}`
}

/** Where a dead letter came from, and why it is one. */
export interface DeadLetterOrigin {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly subject: string
  readonly group: string
  readonly attempts: number
  readonly error: string
  readonly appendedAtMs: number
}

const PREFIX = 'skeindead'
const TTL_KEPT = `${PREFIX}ttl`

/** The headers of a dead letter: the message's own, and its origin. It does not expire. */
export function deadLetterHeaders(headers: Headers, origin: DeadLetterOrigin): Headers {
  const { [TTL_HEADER]: ttl, ...kept } = headers
  return {
    ...kept,
    ...(ttl === undefined ? {} : { [TTL_KEPT]: ttl }),
    [`${PREFIX}topic`]: origin.topic,
    [`${PREFIX}partition`]: String(origin.partition),
    [`${PREFIX}offset`]: String(origin.offset),
    [`${PREFIX}subject`]: origin.subject,
    [`${PREFIX}group`]: origin.group,
    [`${PREFIX}attempts`]: String(origin.attempts),
    [`${PREFIX}error`]: origin.error,
    [`${PREFIX}appendedat`]: String(origin.appendedAtMs),
  }
}

/** The origin of a dead letter, or undefined for a message that is none. */
export function deadLetterOrigin(headers: Headers): DeadLetterOrigin | undefined {
  const topic = headers[`${PREFIX}topic`]
  const subject = headers[`${PREFIX}subject`]
  if (topic === undefined || subject === undefined) return undefined
  return {
    topic,
    subject,
    partition: Number(headers[`${PREFIX}partition`]),
    offset: Number(headers[`${PREFIX}offset`]),
    group: headers[`${PREFIX}group`] ?? '',
    attempts: Number(headers[`${PREFIX}attempts`]),
    error: headers[`${PREFIX}error`] ?? '',
    appendedAtMs: Number(headers[`${PREFIX}appendedat`]),
  }
}

/** Names the one group that is given a replayed message; readers of others pass it over. */
export const REPLAY_HEADER = 'skeinreplay'

/** The headers a dead letter had before it died, and the group that it goes back to. Its TTL is over: it has none. */
export function replayedHeaders(headers: Headers): Headers {
  const kept: Record<string, string> = { [REPLAY_HEADER]: headers[`${PREFIX}group`] ?? '' }
  for (const name in headers) if (!name.startsWith(PREFIX) && name !== REPLAY_HEADER) kept[name] = headers[name]!
  return kept
}
