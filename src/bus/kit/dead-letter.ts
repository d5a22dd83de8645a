import { cutText } from '../../core/index.ts'
import type { Headers } from '../message.ts'
import { TTL_HEADER } from './stored-headers.ts'

/** The topic that keeps the dead letters of a topic. */
export function deadLetterTopic(topic: string): string {
  return `skein.dead.${topic}`
}

const PREFIX_OF_TOPICS = deadLetterTopic('')

/** The topic whose dead letters this topic keeps; undefined for one that keeps none. */
export function topicOfDeadLetters(name: string): string | undefined {
  return name.startsWith(PREFIX_OF_TOPICS) ? name.slice(PREFIX_OF_TOPICS.length) : undefined
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

/** What a driver can store of headers. */
export interface HeaderBounds {
  /** Default: what every driver stores. */
  readonly bytesMax?: number
  /** What one header takes of it. Default: its text and six bytes. */
  readonly bytesOf?: (name: string, value: string) => number
}

/** Below the 64 KiB that brokers and clients have for the headers of a message, with room for its key and its time. */
const HEADERS_BYTES_MAX = 60_000
/** Names the headers of a message that had no room in its dead letter. It stays with the message when that is replayed. */
const OMITTED = 'skeinomitted'
/** For the names of what is left out. */
const OMITTED_CHARACTERS_MAX = 500

/**
 * The headers of a dead letter: the message's own, and its origin. It does not expire. A message may have had headers
 * up to its own bound: then the longest are left out, and named.
 */
export function deadLetterHeaders(headers: Headers, origin: DeadLetterOrigin, bounds: HeaderBounds = {}): Headers {
  const { [TTL_HEADER]: ttl, ...kept } = headers
  const own = { ...(ttl === undefined ? {} : { [TTL_KEPT]: ttl }), ...originHeaders(origin) }
  return { ...fitting(kept, own, bounds), ...own }
}

function originHeaders(origin: DeadLetterOrigin): Headers {
  return {
    [`${PREFIX}topic`]: origin.topic,
    [`${PREFIX}partition`]: String(origin.partition),
    [`${PREFIX}offset`]: String(origin.offset),
    [`${PREFIX}subject`]: origin.subject,
    [`${PREFIX}group`]: origin.group,
    [`${PREFIX}attempts`]: String(origin.attempts),
    [`${PREFIX}error`]: cutText(origin.error),
    [`${PREFIX}appendedat`]: String(origin.appendedAtMs),
  }
}

/** A dead letter whose origin is called otherwise. One without an origin stays as it is. */
export function relocatedLetter(headers: Headers, move: (origin: DeadLetterOrigin) => DeadLetterOrigin): Headers {
  const origin = deadLetterOrigin(headers)
  return origin === undefined ? headers : { ...headers, ...originHeaders(move(origin)) }
}

function fitting(headers: Headers, own: Headers, bounds: HeaderBounds): Headers {
  const { bytesMax = HEADERS_BYTES_MAX, bytesOf = textBytes } = bounds
  const size = (some: Headers) => Object.entries(some).reduce((sum, [name, value]) => sum + bytesOf(name, value), 0)
  const left = new Map(Object.entries(headers))
  let bytes = size(headers) + size(own)
  if (bytes <= bytesMax) return headers
  bytes += bytesOf(OMITTED, 'x'.repeat(OMITTED_CHARACTERS_MAX)) + OMITTED_CHARACTERS_MAX
  const omitted: string[] = []
  const longestFirst = [...left].sort((one, other) => bytesOf(...other) - bytesOf(...one))
  for (const [name, value] of longestFirst) {
    if (bytes <= bytesMax) break
    left.delete(name)
    omitted.push(name)
    bytes -= bytesOf(name, value)
  }
  return { ...Object.fromEntries(left), [OMITTED]: cutText(omitted.join(', '), OMITTED_CHARACTERS_MAX) }
}

function textBytes(name: string, value: string): number {
  return Buffer.byteLength(name) + Buffer.byteLength(value) + 6
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
