import { numberField, outcomeFromJson, outcomeToJson, textField } from './inbox-row.ts'
import type { ClaimRequest, SettleRequest } from './inbox-store.ts'

/** Throws `corrupt` for fields that are missing or of another type. */
export function readClaim(body: Record<string, unknown>): ClaimRequest {
  return {
    intentId: textField(body, 'intentId'),
    agentId: textField(body, 'agentId'),
    epoch: numberField(body, 'epoch'),
    sentEpoch: numberField(body, 'sentEpoch'),
    held: body.held === true,
    incarnation: textField(body, 'incarnation'),
    bodyHash: textField(body, 'bodyHash'),
    sender: textField(body, 'sender'),
    type: textField(body, 'type'),
    deadlineMs: numberField(body, 'deadlineMs'),
    idempotent: body.idempotent === true,
  }
}

export function readSettle(body: Record<string, unknown>): SettleRequest {
  return { ...readClaim(body), outcome: outcomeFromJson(body.outcome) }
}

/** A request as JSON can carry it: a reply may be bytes. */
export function settleToJson(request: SettleRequest): Record<string, unknown> {
  return { ...request, outcome: outcomeToJson(request.outcome) }
}
