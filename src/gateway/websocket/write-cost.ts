import type { AdmissionRequest } from '../../channel/index.ts'
import { recordCursor } from '../../log/index.ts'

const SOURCE_HEADER = 'source'

/**
 * What a body of records takes from whose quota. Where one agent joined over the client, all of it is that agent's; of
 * several, each has what names it as its source or in its subject.
 */
export function writeCost(
  body: Uint8Array,
  from: {
    readonly topic: string
    readonly principal: string | undefined
    readonly agents: ReadonlySet<string> | undefined
  },
): readonly AdmissionRequest[] {
  const { topic, principal, agents } = from
  const [only] = agents?.size === 1 ? agents : []
  const costs = new Map<string | undefined, { messages: number; bytes: number }>()
  const cursor = recordCursor(body, 0, 0)
  const isShared = agents !== undefined && agents.size > 1
  while (cursor.next()) {
    const agent = isShared ? agentOf(agents, cursor.subject, cursor.header(SOURCE_HEADER)) : only
    let cost = costs.get(agent)
    if (cost === undefined) {
      cost = { messages: 0, bytes: 0 }
      costs.set(agent, cost)
    }
    cost.messages += 1
    cost.bytes += cursor.valueEnd - cursor.valueStart
  }
  return Array.from(costs, ([agent, cost]) => ({ principal, agent, topic, ...cost }))
}

function agentOf(agents: ReadonlySet<string>, subject: string, source: string | undefined): string | undefined {
  if (source !== undefined && agents.has(source)) return source
  return subject.split('.').find((level) => agents.has(level))
}
