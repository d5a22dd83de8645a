import { type Bus, EndMarks, type Message, type Reader } from '../bus/index.ts'
import type { RosterEntry } from './roster-record.ts'
import { toldMessages } from './roster-writer.ts'
import { ROSTER_SEQUENCE_HEADER } from './swarm-event.ts'
import { SWARM_TOPIC } from './topics.ts'

const WINDOW = 256

/** The newest roster record that the event topic tells of; -1 when it tells of none. */
export async function lastToldSequence(bus: Bus): Promise<number> {
  const { partitions } = await bus.admin.describeTopic(SWARM_TOPIC)
  const start = partitions[0]!.start.sequence
  const end = partitions[0]!.end.sequence
  for (let from = end, window = WINDOW; from > start; window *= 2) {
    const until = from
    from = Math.max(start, until - window)
    const told = await toldBetween(bus, from, until)
    if (told !== -1) return told
  }
  return -1
}

/** Messages for what is in the roster and was never told, because the decider died in between. */
export function untoldMessages(
  entries: ReadonlyArray<{ readonly entry: RosterEntry; readonly sequence: number }>,
  toldThrough: number,
): readonly Message[] {
  return entries.flatMap(({ entry, sequence }) =>
    entry.kind === 'agent' && sequence > toldThrough ? toldMessages(entry.events, sequence) : [],
  )
}

async function toldBetween(bus: Bus, from: number, until: number): Promise<number> {
  const reader = bus.reader(SWARM_TOPIC, { mode: 'broadcast', from: { partition: 0, sequence: from } })
  try {
    return await newestTold(reader, until)
  } finally {
    await reader.close()
  }
}

async function newestTold(reader: Reader, until: number): Promise<number> {
  let told = -1
  const marks = await EndMarks.of(reader)
  for (;;) {
    const batch = await reader.read({ waitMs: EndMarks.pollMs })
    if (batch === null) {
      if (await marks.nothingLeft()) return told
      continue
    }
    for (const delivery of batch.deliveries) {
      told = Math.max(told, Number(delivery.headers[ROSTER_SEQUENCE_HEADER] ?? -1))
    }
    if (batch.last.sequence + 1 >= until) return told
  }
}
