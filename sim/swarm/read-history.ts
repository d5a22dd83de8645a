import type { Bus, Delivery } from '../../src/bus/index.ts'
import { TELEMETRY } from './contract.ts'
import type {
  AcknowledgedLine,
  CommandRecord,
  ConsumedLine,
  EffectLine,
  History,
  JoinRecord,
  OutcomeRecord,
  StoredReport,
} from './history.ts'
import { readLedgers } from './ledger.ts'

/** Collects what a run left behind: the ledgers from their folder, the log through a reader of its own. */
export async function readHistory(folder: string, bus: Bus, commands: readonly CommandRecord[]): Promise<History> {
  return {
    stored: (await Promise.all(Object.values(TELEMETRY).map((channel) => readStored(bus, channel)))).flat(),
    acknowledged: readLedgers<AcknowledgedLine>(folder, '.acknowledged').flat(),
    consumers: readLedgers<ConsumedLine>(folder, '.consumed'),
    commands,
    told: readLedgers<OutcomeRecord>(folder, '.outcomes').flat(),
    outcomes: (await readTopic(bus, 'skein.outcomes')).map(outcomeOf),
    effects: readLedgers<EffectLine>(folder, '.effects').flat(),
    joins: (await readTopic(bus, 'skein.swarm')).flatMap(joinOf),
  }
}

async function readStored(bus: Bus, channel: (typeof TELEMETRY)[keyof typeof TELEMETRY]): Promise<StoredReport[]> {
  return (await readTopic(bus, channel.topic)).map((delivery) => {
    const { epoch, count } = JSON.parse(delivery.text()) as { epoch: number; count: number }
    const { partition, sequence } = delivery.position
    const agentId = channel.subject.parse(delivery.subject)!.agentId!
    return { agentId, epoch, channel: channel.type, count, topic: channel.topic, partition, sequence }
  })
}

function outcomeOf(delivery: Delivery): OutcomeRecord {
  const { state, reason } = JSON.parse(delivery.text()) as { state: string; reason?: string }
  const { source, skeinintent } = delivery.headers
  return { intentId: skeinintent!, agentId: source!, state, reason }
}

function joinOf(delivery: Delivery): JoinRecord[] {
  const event = JSON.parse(delivery.text()) as Omit<JoinRecord, 'agentType'> & { kind: string; type: string }
  const { agentId, type: agentType, epoch, atMs } = event
  return event.kind === 'joined' ? [{ agentId, agentType, epoch, atMs }] : []
}

/** Everything in a topic up to its present end, each partition in order. */
async function readTopic(bus: Bus, topic: string): Promise<Delivery[]> {
  const reader = bus.reader(topic, { mode: 'broadcast', from: 'earliest' })
  const { partitions } = await bus.admin.describeTopic(topic)
  const left = new Map<number, number>()
  for (const { partition, start, end } of partitions)
    if (end.sequence > start.sequence) left.set(partition, end.sequence)
  const found: Delivery[] = []
  while (left.size > 0) {
    const batch = await reader.read()
    if (batch === null) continue
    for (const delivery of batch.deliveries) found.push(delivery)
    await reader.acknowledge(batch.last)
    if (batch.last.sequence >= left.get(batch.partition)! - 1) left.delete(batch.partition)
  }
  await reader.close()
  return found
}
