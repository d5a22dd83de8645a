import type { Message } from '../bus/index.ts'
import { PULSES_TOPIC } from './topics.ts'

/** Who was heard by one node since its last aggregate. A large swarm's comes in parts. */
export interface PulseAggregate {
  readonly nodeId: string
  readonly atMs: number
  readonly part: number
  readonly parts: number
  /** Epoch by agent id. */
  readonly heard: Readonly<Record<string, number>>
}

const PART_BYTES_MAX = 256 * 1_024
const ENTRY_BYTES = 24

/** The messages of one aggregate; none when nobody was heard. */
export function pulseMessages(nodeId: string, heard: ReadonlyMap<string, number>, atMs: number): readonly Message[] {
  const parts: Record<string, number>[] = []
  let bytes = PART_BYTES_MAX
  for (const [agentId, epoch] of heard) {
    bytes += agentId.length + ENTRY_BYTES
    if (bytes > PART_BYTES_MAX) {
      parts.push(Object.create(null))
      bytes = agentId.length + ENTRY_BYTES
    }
    parts[parts.length - 1]![agentId] = epoch
  }
  return parts.map((entries, part) => {
    const aggregate: PulseAggregate = { nodeId, atMs, part, parts: parts.length, heard: entries }
    return { subject: `${PULSES_TOPIC}.${nodeId}`, key: nodeId, value: JSON.stringify(aggregate), timestampMs: atMs }
  })
}
