import type { Bus, Delivery } from '../../bus/index.ts'
import { INBOX_TOPIC, InboxInspection } from '../../channel/index.ts'
import { ROSTER_TOPIC, RosterInspection } from '../../swarm/index.ts'
import { readThrough } from '../read-through.ts'
import { broken, type Finding, ok } from './finding.ts'

/** Contradictions told one by one; the rest are counted. */
const TOLD_MAX = 20

/** Folds the roster and the node's inboxes as a node would at its start, and compares them with each other. */
export async function inspectSwarm(bus: Bus, signal: AbortSignal): Promise<readonly Finding[]> {
  const topics = await bus.admin.listTopics()
  const roster = new RosterInspection()
  const findings: Finding[] = []
  if (topics.includes(ROSTER_TOPIC)) {
    await readAll(bus, ROSTER_TOPIC, { signal, take: (delivery) => roster.take(delivery) })
    findings.push(...told('roster', roster.problems, () => rosterFacts(roster)))
  }
  if (topics.includes(INBOX_TOPIC)) {
    const epochs = new Map(roster.agents().map(({ id, epoch }) => [id, epoch]))
    const inbox = new InboxInspection((agentId) => epochs.get(agentId))
    await readAll(bus, INBOX_TOPIC, { signal, take: (delivery) => inbox.take(delivery) })
    findings.push(...told('inbox', inbox.problems, () => inbox.counts))
  }
  return findings
}

function rosterFacts(roster: RosterInspection): Readonly<Record<string, number>> {
  const counts: Record<string, number> = { agents: roster.agents().length }
  for (const { liveness } of roster.agents()) counts[liveness] = (counts[liveness] ?? 0) + 1
  return counts
}

function told(
  what: string,
  problems: readonly string[],
  factsOf: () => Readonly<Record<string, number>>,
): readonly Finding[] {
  const facts = factsOf()
  if (problems.length === 0) {
    const counts = Object.entries(facts).map(([name, count]) => `${count} ${name}`)
    return [{ ...ok(what, `folds without contradiction: ${counts.join(', ')}`), facts }]
  }
  const more = problems.length > TOLD_MAX ? [broken(what, `and ${problems.length - TOLD_MAX} more`)] : []
  return [...problems.slice(0, TOLD_MAX).map((problem) => ({ ...broken(what, problem), facts })), ...more]
}

async function readAll(
  bus: Bus,
  topic: string,
  { signal, take }: { readonly signal: AbortSignal; readonly take: (delivery: Delivery) => void },
): Promise<void> {
  const reader = bus.reader(topic, { mode: 'broadcast', from: 'earliest' })
  // Damage has been told where every topic is read: here what is left counts.
  const options = { untilEnd: true, countMax: Number.POSITIVE_INFINITY, signal, onDamage: () => {} }
  try {
    for await (const { deliveries } of readThrough(reader, options)) for (const delivery of deliveries) take(delivery)
  } finally {
    await reader.close()
  }
}
