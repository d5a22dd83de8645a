import type { Requests } from '../bus/index.ts'
import type { AgentRecord } from '../channel/index.ts'
import { askNode } from './ask-node.ts'
import { HEARD_IDS_MAX, type HeardReply } from './protocol.ts'
import { HEARD_REQUEST } from './topics.ts'

const TIMEOUT_MS = 2_000

/**
 * The records with what only the owner knows: when each agent was last heard. The roster is written at transitions,
 * never at pulses. Rejects with `no-responder` without a node.
 */
export async function withLastHeard(
  requests: Requests,
  records: readonly AgentRecord[],
  options: { readonly signal?: AbortSignal } = {},
): Promise<readonly AgentRecord[]> {
  const found: AgentRecord[] = []
  for (let from = 0; from < records.length; from += HEARD_IDS_MAX) {
    const some = records.slice(from, from + HEARD_IDS_MAX)
    const question = { subject: HEARD_REQUEST, body: { ids: some.map(({ id }) => id) } }
    const { heardAtMs } = await askNode<HeardReply>(requests, question, { timeoutMs: TIMEOUT_MS, ...options })
    for (const [index, record] of some.entries()) {
      found.push({ ...record, seenAtMs: Math.max(record.seenAtMs, heardAtMs[index] ?? 0) })
    }
  }
  return found
}
