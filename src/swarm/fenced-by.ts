import { SkeinError } from '../core/index.ts'
import type { AgentRequest } from './protocol.ts'

/** The error of one whose place a newer epoch took. */
export function fencedBy(request: AgentRequest, byEpoch: number): SkeinError {
  const { id, epoch } = request
  const message = `Cannot act as "${id}" any more: epoch ${byEpoch} took the place of epoch ${epoch}; stop, or join again`
  return new SkeinError('fenced', message, { details: { agentId: id, epoch, byEpoch } })
}
