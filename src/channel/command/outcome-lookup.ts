import type { Requests } from '../../bus/index.ts'
import { numberField, type OutcomeJson, outcomeFromJson, textField } from './inbox-row.ts'
import type { StoredOutcome } from './outcome.ts'
import { askNode, OUTCOME_GET } from './requests.ts'

/** What a node knows of one intent. */
export interface KnownIntent {
  /** Undefined when only outcomes are known: the command itself is older than the node's memory. */
  readonly sent: { readonly bodyHash: string; readonly type: string; readonly deadlineMs: number } | undefined
  readonly outcomes: ReadonlyMap<string, StoredOutcome>
  /** Agents it was sent to and that have said nothing yet. */
  readonly pending: readonly string[]
}

export interface KnownIntentJson {
  readonly sent?: { readonly bodyHash: string; readonly type: string; readonly deadlineMs: number } | undefined
  readonly outcomes: ReadonlyArray<readonly [agentId: string, outcome: OutcomeJson]>
  readonly pending: readonly string[]
}

/** Asks the node what became of an intent. Rejects with `no-responder` where no node keeps outcomes. */
export async function lookUpOutcome(
  requests: Requests,
  intentId: string,
  options: { readonly timeoutMs: number; readonly signal?: AbortSignal | undefined },
): Promise<KnownIntent> {
  const fields = await askNode(requests, OUTCOME_GET, { intentId }, options)
  const outcomes = Array.isArray(fields.outcomes) ? (fields.outcomes as [string, unknown][]) : []
  const sent = fields.sent as Record<string, unknown> | undefined
  return {
    sent: sent && {
      bodyHash: textField(sent, 'bodyHash'),
      type: textField(sent, 'type'),
      deadlineMs: numberField(sent, 'deadlineMs'),
    },
    outcomes: new Map(outcomes.map(([agentId, outcome]) => [agentId, outcomeFromJson(outcome)])),
    pending: Array.isArray(fields.pending) ? (fields.pending as string[]) : [],
  }
}
