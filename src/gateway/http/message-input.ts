import Type, { type Static } from 'typebox'
import type { Message } from '../../bus/index.ts'
import { SkeinError } from '../../core/index.ts'
import { headers } from './schemas.ts'

const unchecked = Type.Unknown()

/** One message as a client writes it in JSON. Exactly one of `value`, `text`, `base64`, `tombstone` says what it holds. */
export const messageInput = Type.Object(
  {
    subject: Type.Optional(Type.String({ description: 'the address within the topic; default: the topic' })),
    key: Type.Optional(Type.String({ description: 'order is kept per key; default: the subject' })),
    id: Type.Optional(Type.String({ description: 'a repeat is not stored again, where the topic deduplicates' })),
    headers: Type.Optional(headers),
    timestampMs: Type.Optional(Type.Integer({ minimum: 0, description: 'event time, ms since 1970-01-01 UTC' })),
    ttlMs: Type.Optional(Type.Integer({ minimum: 1, description: 'after this long it is given to nobody any more' })),
    value: Type.Optional(Type.Unsafe<unknown>({ ...unchecked, description: 'any JSON, stored as compact JSON' })),
    text: Type.Optional(Type.String({ description: 'text, stored as UTF-8' })),
    base64: Type.Optional(Type.String({ description: 'bytes' })),
    tombstone: Type.Optional(Type.Literal(true, { description: 'deletes its key on a compacted topic' })),
  },
  { additionalProperties: false },
)

export type MessageInput = Static<typeof messageInput>

const CONTENTS = ['value', 'text', 'base64', 'tombstone'] as const

/** The message for the bus. Throws `bad-argument` when what it holds is not said exactly once. */
export function messageOf(input: MessageInput, topic: string, where: string): Message {
  const given = CONTENTS.filter((name) => input[name] !== undefined)
  if (given.length !== 1) {
    const said = given.length === 0 ? 'none is' : `${given.join(' and ')} are`
    throw new SkeinError(
      'bad-argument',
      `Cannot publish ${where}: one of ${CONTENTS.join(', ')} is needed, ${said} given`,
    )
  }
  const { subject = topic, key, id, headers, timestampMs, ttlMs } = input
  if (headers !== undefined) checkHeaders(headers, where)
  return { subject, key, id, headers, timestampMs, ttlMs, value: contentOf(input, where) }
}

/** What Skein says of a message in its headers, a client says in its fields: one place, and one meaning for every reader. */
const RESERVED: Readonly<Record<string, string>> = { id: 'id', skeinttl: 'ttlMs' }

function checkHeaders(headers: Readonly<Record<string, string>>, where: string): void {
  const name = Object.keys(headers).find((one) => Object.hasOwn(RESERVED, one.toLowerCase()))
  if (name === undefined) return
  const field = RESERVED[name.toLowerCase()]
  throw new SkeinError(
    'bad-argument',
    `Cannot publish ${where}: the header "${name}" is Skein's own; use the field ${field}`,
    {
      details: { header: name, field },
    },
  )
}

function contentOf(input: MessageInput, where: string): Message['value'] {
  if (input.tombstone) return null
  if (input.text !== undefined) return input.text
  if (input.base64 === undefined) return JSON.stringify(input.value)
  // Buffer.from ignores what is no base64: what cannot be given back was mistyped.
  const bytes = Buffer.from(input.base64, 'base64')
  if (bytes.toString('base64').replace(/=+$/, '') !== input.base64.replace(/=+$/, '')) {
    throw new SkeinError('bad-argument', `Cannot publish ${where}: its base64 is malformed`)
  }
  return bytes
}
