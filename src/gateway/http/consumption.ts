import Type, { type Static } from 'typebox'
import type { Bus, Reader, ReaderOptions, TopicDescription } from '../../bus/index.ts'
import { SkeinError, timestampMs } from '../../core/index.ts'
import { Cursor } from './cursor.ts'

/** What both ways of consuming take. */
export const consumptionQuery = {
  from: Type.Optional(
    Type.String({ description: 'earliest, latest, a time (ISO 8601 or ms since 1970), or a cursor. Default: latest' }),
  ),
  subject: Type.Optional(
    Type.Array(Type.String(), { maxItems: 100, description: 'subject filters, * and > as wildcards' }),
  ),
}

const query = Type.Object(consumptionQuery)

/** A broadcast reader at the place asked for, and the cursor that follows it. Rejects with `not-found`, `bad-argument`. */
export async function openBroadcast(
  bus: Bus,
  topic: string,
  { from = 'latest', subject }: Static<typeof query>,
): Promise<{ reader: Reader; cursor: Cursor }> {
  const description = await bus.admin.describeTopic(topic)
  const cursor = cursorAt(from, description)
  const ephemeral = description.spec.storage === 'ephemeral'
  const options: ReaderOptions = {
    mode: 'broadcast',
    from: ephemeral ? 'latest' : cursor.start,
    ...(subject && { subjects: subject }),
  }
  return { reader: bus.reader(topic, options), cursor }
}

function cursorAt(from: string, topic: TopicDescription): Cursor {
  if (from === 'earliest' || from === 'latest') return Cursor.startingAt(from, topic)
  if (/^[@\d][\d:,]*$/.test(from) && /[@:]/.test(from)) return Cursor.parse(from, topic)
  const atMs = timestampMs(from)
  if (atMs === undefined) {
    throw new SkeinError(
      'bad-argument',
      `Cannot start at "${from}": give earliest, latest, a time such as 2026-01-31T12:00:00Z, or a cursor`,
    )
  }
  return Cursor.startingAt({ timestampMs: atMs }, topic)
}
