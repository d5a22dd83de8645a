import { isFresh } from './freshness.ts'
import type { InboxRow } from './inbox-row.ts'
import type { ClaimRequest, SettleRequest } from './inbox-store.ts'
import type { StoredOutcome } from './outcome.ts'

/** What an inbox knows besides the row. */
export interface DecisionContext {
  /** The latest that node time can be now. */
  readonly latestNodeMs: number | undefined
  /** Rows of deadlines up to here may have been forgotten: without a row nobody can tell whether it ran. */
  readonly forgottenThroughMs: number
  readonly graceMs: number
}

export type ClaimDecision =
  | { readonly kind: 'claim'; readonly again: boolean; readonly row: InboxRow }
  /** Report this outcome; `row` is to be stored first, when there is one. */
  | { readonly kind: 'answer'; readonly outcome: StoredOutcome; readonly row: InboxRow | undefined }
  | { readonly kind: 'conflict' }
  /** A newer epoch of the agent exists: whoever asks must stop. */
  | { readonly kind: 'fenced'; readonly newerEpoch: number }

/** What a claim gets, from the row there is. Pure: the same arguments give the same decision on an agent and on a node. */
export function decideClaim(row: InboxRow | undefined, request: ClaimRequest, context: DecisionContext): ClaimDecision {
  if (row === undefined) return decideFirst(request, context)
  if (row.bodyHash !== request.bodyHash) return { kind: 'conflict' }
  if (row.outcome !== undefined) return { kind: 'answer', outcome: row.outcome, row: undefined }
  if (row.epoch > request.epoch) return { kind: 'fenced', newerEpoch: row.epoch }
  // The answer to this receiver's own claim was lost on the way; a receiver never asks for what it is running.
  if (row.incarnation === request.incarnation) {
    if (isFresh(row.deadlineMs, context.latestNodeMs)) return { kind: 'claim', again: row.again, row }
    const outcome = row.again ? interrupted(context) : refusal('expired', 'deadline', TOO_LATE, context)
    return answerWith(row, outcome, context)
  }
  if (row.idempotent && isFresh(row.deadlineMs, context.latestNodeMs)) {
    return {
      kind: 'claim',
      again: true,
      row: { ...row, epoch: request.epoch, incarnation: request.incarnation, again: true },
    }
  }
  return answerWith(row, interrupted(context), context)
}

/** What stands after an outcome was given: the first one, or `unknown` for a claim that somebody else left behind. */
export function decideSettle(
  row: InboxRow | undefined,
  request: SettleRequest,
  context: DecisionContext,
): ClaimDecision {
  if (row === undefined) {
    const past = request.deadlineMs <= context.forgottenThroughMs
    const outcome = past ? refusal('expired', 'deadline', TOO_LATE, context) : request.outcome
    return answerWith(claimedRow(request, context), outcome, context)
  }
  if (row.bodyHash !== request.bodyHash) return { kind: 'conflict' }
  if (row.outcome !== undefined) return { kind: 'answer', outcome: row.outcome, row: undefined }
  if (row.epoch > request.epoch) return { kind: 'fenced', newerEpoch: row.epoch }
  // An earlier run may have taken effect, so whatever else became of the last one, what is known is not enough.
  const isKnown = row.incarnation === request.incarnation && (!row.again || request.outcome.state === 'done')
  return answerWith(row, isKnown ? request.outcome : interrupted(context), context)
}

/** `unknown` for a claim left behind by a receiver that is gone; undefined where nothing is to be said yet. */
export function decideRecovery(row: InboxRow, incarnation: string, context: DecisionContext): InboxRow | undefined {
  if (row.outcome !== undefined || row.incarnation === incarnation) return undefined
  if (row.idempotent && isFresh(row.deadlineMs, context.latestNodeMs)) return undefined
  return withOutcome(row, interrupted(context), context)
}

function decideFirst(request: ClaimRequest, context: DecisionContext): ClaimDecision {
  if (request.sentEpoch > request.epoch) return { kind: 'fenced', newerEpoch: request.sentEpoch }
  const row = claimedRow(request, context)
  // First the window: without a row nobody knows what became of a late repeat, so nothing else is said of it.
  if (request.deadlineMs <= context.forgottenThroughMs || !isFresh(request.deadlineMs, context.latestNodeMs)) {
    return answerWith(row, refusal('expired', 'deadline', TOO_LATE, context), context)
  }
  if (request.sentEpoch < request.epoch && !request.held) {
    return answerWith(row, refusal('rejected', 'stale', staleMessage(request), context), context)
  }
  return { kind: 'claim', again: false, row }
}

function answerWith(row: InboxRow, outcome: StoredOutcome, context: DecisionContext): ClaimDecision {
  return { kind: 'answer', outcome, row: withOutcome(row, outcome, context) }
}

function withOutcome(row: InboxRow, outcome: StoredOutcome, context: DecisionContext): InboxRow {
  // A long run ends after its deadline: the row must outlive its outcome too, for the repeats on their way.
  const fromMs = Math.max(row.deadlineMs, context.latestNodeMs ?? 0)
  return { ...row, outcome, keepUntilMs: fromMs + context.graceMs }
}

function claimedRow(request: ClaimRequest, context: DecisionContext): InboxRow {
  return {
    intentId: request.intentId,
    agentId: request.agentId,
    epoch: request.epoch,
    incarnation: request.incarnation,
    bodyHash: request.bodyHash,
    sender: request.sender,
    type: request.type,
    deadlineMs: request.deadlineMs,
    idempotent: request.idempotent,
    again: false,
    keepUntilMs: request.deadlineMs + context.graceMs,
    outcome: undefined,
    reported: false,
  }
}

const TOO_LATE = 'It was not claimed before its deadline'

function interrupted(context: DecisionContext): StoredOutcome {
  const message = 'The agent stopped between claiming it and storing an outcome: it may have taken effect or not'
  return refusal('unknown', 'interrupted', message, context)
}

function staleMessage(request: ClaimRequest): string {
  return `It was sent to epoch ${request.sentEpoch} of the agent, which is now ${request.epoch}`
}

function refusal(
  state: StoredOutcome['state'],
  reason: StoredOutcome['reason'],
  message: string,
  context: DecisionContext,
): StoredOutcome {
  return { state, reason, message, atMs: context.latestNodeMs ?? 0 }
}
