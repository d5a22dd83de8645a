import type { Delivery, Headers, Position, Reply } from '../../bus/index.ts'
import { SkeinError } from '../../core/index.ts'

/** An agent asks its node for its next command of one topic, and waits a while for one. */
export const COMMAND_NEXT = 'skein.commands.next'

/** What an agent has been given of each partition so far: what comes next is behind it. */
export interface NextRequest {
  readonly agentId: string
  readonly topic: string
  readonly after: readonly Position[]
  readonly waitMs: number
}

const AT = 'skeinat'
const SUBJECT = 'skeinsubject'
const KEY = 'skeinkey'
const ID = 'skeinid'

/** The value travels as it is; where and when it was stored stands in headers. An empty reply: nothing came. */
export function encodeHandedOut(delivery: Delivery | undefined, headers: Headers): Reply {
  if (delivery === undefined) return { value: '' }
  const { position, subject, key, id, value, timestampMs, appendedAtMs } = delivery
  const at = [position.partition, position.sequence, timestampMs, appendedAtMs].join(' ')
  return {
    value: value ?? '',
    headers: {
      ...headers,
      [AT]: at,
      [SUBJECT]: subject,
      ...(key !== undefined && { [KEY]: key }),
      ...(id !== undefined && { [ID]: id }),
    },
  }
}

/** Undefined for an empty reply. Throws `malformed-frame` for one that is none of these. */
export function decodeHandedOut(topic: string, { value, headers = {} }: Reply): Delivery | undefined {
  const { [AT]: at, [SUBJECT]: subject, [KEY]: key, [ID]: id, ...own } = headers
  if (at === undefined) return undefined
  const [partition, sequence, timestampMs, appendedAtMs] = at.split(' ').map(Number)
  if (subject === undefined || !Number.isSafeInteger(sequence) || appendedAtMs === undefined) {
    throw new SkeinError(
      'malformed-frame',
      `Cannot read what the node handed out of "${topic}": it says not where it lay`,
    )
  }
  const bytes = typeof value === 'string' ? Buffer.from(value) : value
  return {
    ...{ topic, subject, key, id, headers: own },
    position: { partition: partition!, sequence: sequence! },
    value: bytes,
    text: () => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8'),
    timestampMs: timestampMs!,
    appendedAtMs,
    attempt: 1,
  }
}
