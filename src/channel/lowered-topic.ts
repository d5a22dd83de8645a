import { type Durability, type Intent, type RequestedDurability, satisfies, type TopicSpec } from '../bus/index.ts'

/** What a topic asks for when it names no level: see `TopicSpec`. */
const DEFAULT_DURABILITY: Readonly<Record<Intent, RequestedDurability>> = {
  telemetry: 'written',
  event: 'safe',
  command: 'safe',
  notice: 'none',
  query: 'none',
}

/**
 * The topic with `safe`, and what no declaration names, lowered to the level that whoever connects said; receipts show
 * it. A level that the declaration names stands.
 */
export function loweredTopic(topic: TopicSpec, safe: Durability | undefined): TopicSpec {
  const asked = topic.durability ?? DEFAULT_DURABILITY[topic.intent]
  if (safe === undefined || satisfies(safe, asked)) return topic
  return asked === 'safe' || topic.durability === undefined ? { ...topic, durability: safe } : topic
}
