import { partitionOfKey, type SubjectPattern } from '../../core/index.ts'
import type { AgentRecord } from '../ports.ts'
import { ADDRESSEES_MAX, broadcastSubject, commandSubject } from './command-record.ts'

/** One record to be written, and the agents it is for. */
export interface RecordPlan {
  readonly subject: string
  /** Falls into the partition of all of its agents, so that each agent's commands stay in one order. */
  readonly key: string
  readonly agentIds: readonly string[]
}

/** From so many agents on, one record per partition takes the place of one per agent. */
export const WIDE_MIN = 17

/** Which records carry a command to these agents. */
export function planRecords(
  pattern: SubjectPattern,
  agents: readonly AgentRecord[],
  partitions: number,
): readonly RecordPlan[] {
  if (agents.length < WIDE_MIN) {
    return agents.map((agent) => ({ subject: commandSubject(pattern, agent), key: agent.id, agentIds: [agent.id] }))
  }
  const subject = broadcastSubject(pattern)
  const groups = Map.groupBy(agents, (agent) => partitionOfKey(agent.id, partitions))
  return [...groups].flatMap(([partition, members]) => {
    const key = keyOfPartition(partition, partitions)
    return chunks(members).map((chunk) => ({ subject, key, agentIds: chunk.map((agent) => agent.id) }))
  })
}

/** Some key that the hash puts into the partition. */
function keyOfPartition(partition: number, partitions: number): string {
  for (let index = 0; ; index += 1) {
    const key = `broadcast-${index}`
    if (partitionOfKey(key, partitions) === partition) return key
  }
}

function chunks(members: readonly AgentRecord[]): readonly (readonly AgentRecord[])[] {
  const all: AgentRecord[][] = []
  for (let start = 0; start < members.length; start += ADDRESSEES_MAX) {
    all.push(members.slice(start, start + ADDRESSEES_MAX))
  }
  return all
}
