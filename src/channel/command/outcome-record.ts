import type { Delivery, Message, RequestedDurability, TopicSpec } from '../../bus/index.ts'
import { outcomeFromJson, outcomeToJson } from './inbox-row.ts'
import type { OutcomeIdentity, StoredOutcome } from './outcome.ts'

/** Where outcomes are reported; the subject below it is the sender's. */
export const OUTCOMES_TOPIC = 'skein.outcomes'

const DAY_MS = 86_400_000

export function outcomesTopic(durability: RequestedDurability = 'safe'): TopicSpec {
  // Reporting an outcome twice is harmless, and a report to another sender of the same intent must not be taken for a repeat.
  return {
    name: OUTCOMES_TOPIC,
    intent: 'event',
    durability,
    retention: { ageMs: 7 * DAY_MS },
    deduplicationWindowMs: 0,
  }
}

export function outcomeSubject(sender: string): string {
  return `${OUTCOMES_TOPIC}.${sender}`
}

/** An outcome as it is reported to one sender. */
export interface OutcomeReport extends OutcomeIdentity {
  readonly sender: string
  readonly type: string
  readonly outcome: StoredOutcome
}

export function encodeReport(report: OutcomeReport): Message {
  return {
    subject: outcomeSubject(report.sender),
    key: report.intentId,
    headers: {
      source: report.agentId,
      type: 'skein.outcome',
      skeinintent: report.intentId,
      skeincommand: report.type,
      datacontenttype: 'application/json',
    },
    value: JSON.stringify(outcomeToJson(report.outcome)),
  }
}

/** Undefined for a record that is no outcome: whoever wrote it, no waiter may fail over it. */
export function decodeReport(delivery: Pick<Delivery, 'headers' | 'subject' | 'text'>): OutcomeReport | undefined {
  const { source: agentId, skeinintent: intentId, skeincommand: type } = delivery.headers
  if (!agentId || !intentId || type === undefined) return undefined
  try {
    const outcome = outcomeFromJson(JSON.parse(delivery.text()))
    return { intentId, agentId, type, sender: delivery.subject.slice(OUTCOMES_TOPIC.length + 1), outcome }
  } catch {
    return undefined
  }
}
