import { type Bus, type Delivery, deadLetterOrigin, deadLetterTopic, type TopicDescription } from '../bus/index.ts'
import { readThrough } from './read-through.ts'

/** What is left after this many is not read: the count says so. */
const READ_MAX = 100_000

/** Whether a letter was published again to the group that gave it up; null where nobody can tell. */
export function isReplayed({ headers, position }: Delivery, replayed: TopicDescription['replayed']): boolean | null {
  if (replayed === undefined) return null
  const group = deadLetterOrigin(headers)?.group
  return replayed.some(
    (each) =>
      each.group === group && each.before.partition === position.partition && position.sequence < each.before.sequence,
  )
}

/** The dead letters of a topic that nobody has replayed yet, at most 100,000. */
export async function countUnreplayed(bus: Bus, topic: string, signal: AbortSignal): Promise<number> {
  const name = deadLetterTopic(topic)
  const { replayed } = await bus.admin.describeTopic(name)
  const reader = bus.reader(name, { mode: 'broadcast', from: 'earliest' })
  let count = 0
  try {
    for await (const { deliveries } of readThrough(reader, { untilEnd: true, countMax: READ_MAX, signal })) {
      for (const letter of deliveries) if (!isReplayed(letter, replayed)) count += 1
    }
  } finally {
    await reader.close()
  }
  return count
}
