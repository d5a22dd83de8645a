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

/** One header for all of it: drivers have names of their own for subject, key and id. */
const STORED = 'skeinhanded'

/** As JSON: partition, sequence, when it was sent and appended, subject, key and id. */
type Stored = readonly [number, number, number, number, string, string | null, string | null]

/** The value travels as it is; where and when it was stored stands in a header. An empty reply: nothing came. */
export function encodeHandedOut(delivery: Delivery | undefined, headers: Headers): Reply {
  if (delivery === undefined) return { value: '' }
  const { position, subject, key = null, id = null, value, timestampMs, appendedAtMs } = delivery
  const stored: Stored = [position.partition, position.sequence, timestampMs, appendedAtMs, subject, key, id]
  return { value: value ?? '', headers: { ...headers, [STORED]: JSON.stringify(stored) } }
}

/** Undefined for an empty reply. Throws `malformed-frame` for one that is none of these. */
export function decodeHandedOut(topic: string, { value, headers = {} }: Reply): Delivery | undefined {
  const { [STORED]: text, ...own } = headers
  if (text === undefined) return undefined
  const [partition, sequence, timestampMs, appendedAtMs, subject, key, id] = readStored(topic, text)
  const bytes = typeof value === 'string' ? Buffer.from(value) : value
  return {
    ...{ topic, subject, headers: own, value: bytes, timestampMs, appendedAtMs, attempt: 1 },
    position: { partition, sequence },
    key: key ?? undefined,
    id: id ?? undefined,
    text: () => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8'),
  }
}

function readStored(topic: string, text: string): Stored {
  try {
    const stored = JSON.parse(text) as Stored
    if (Number.isSafeInteger(stored[0]) && Number.isSafeInteger(stored[1]) && typeof stored[4] === 'string')
      return stored
  } catch {
    // Told below.
  }
  throw new SkeinError(
    'malformed-frame',
    `Cannot read what the node handed out of "${topic}": it says not where it lay`,
  )
}
