import { SkeinError } from '../../core/index.ts'
import type { FinalState, OutcomeReason, StoredOutcome } from './outcome.ts'

/** What an inbox remembers of one command: claimed, and later with its outcome. */
export interface InboxRow {
  readonly intentId: string
  readonly agentId: string
  /** Of the agent when it claimed. */
  readonly epoch: number
  readonly incarnation: string
  readonly bodyHash: string
  readonly sender: string
  readonly type: string
  readonly deadlineMs: number
  readonly idempotent: boolean
  /** It was claimed before a crash and claimed again: it may have taken effect already. */
  readonly again: boolean
  /** Node time until which a row with an outcome stays. */
  readonly keepUntilMs: number
  readonly outcome: StoredOutcome | undefined
  readonly reported: boolean
}

/** Intent ids are any string, agent ids have no slash-free promise either: the length keeps two pairs from meeting. */
export function rowKey(agentId: string, intentId: string): string {
  return `${agentId.length}/${agentId}/${intentId}`
}

export function encodeRow(row: InboxRow): string {
  const { outcome, ...rest } = row
  return JSON.stringify({ ...rest, outcome: outcome === undefined ? undefined : outcomeToJson(outcome) })
}

/** Throws `corrupt` for what this build did not write. */
export function decodeRow(text: string): InboxRow {
  const row = parseObject(text)
  return {
    intentId: textField(row, 'intentId'),
    agentId: textField(row, 'agentId'),
    epoch: numberField(row, 'epoch'),
    incarnation: textField(row, 'incarnation'),
    bodyHash: textField(row, 'bodyHash'),
    sender: textField(row, 'sender'),
    type: textField(row, 'type'),
    deadlineMs: numberField(row, 'deadlineMs'),
    idempotent: row.idempotent === true,
    again: row.again === true,
    keepUntilMs: numberField(row, 'keepUntilMs'),
    outcome: row.outcome === undefined ? undefined : outcomeFromJson(row.outcome),
    reported: row.reported === true,
  }
}

export interface OutcomeJson {
  readonly state: FinalState
  readonly reason?: OutcomeReason | undefined
  readonly message?: string | undefined
  readonly reply?: string | undefined
  /** The reply is bytes, here in base64. */
  readonly replyBase64?: string | undefined
  readonly atMs: number
}

export function outcomeToJson(outcome: StoredOutcome): OutcomeJson {
  const { reply, ...rest } = outcome
  if (reply === undefined) return rest
  return typeof reply === 'string'
    ? { ...rest, reply }
    : { ...rest, replyBase64: Buffer.from(reply).toString('base64') }
}

const STATES: ReadonlySet<unknown> = new Set<FinalState>(['done', 'rejected', 'failed', 'expired', 'unknown'])

export function outcomeFromJson(json: unknown): StoredOutcome {
  if (typeof json !== 'object' || json === null) throw badRow('an outcome is no object')
  const fields = json as Record<string, unknown>
  if (!STATES.has(fields.state)) throw badRow(`"${String(fields.state)}" is no state of an outcome`)
  return {
    state: fields.state as FinalState,
    reason: fields.reason as OutcomeReason | undefined,
    message: fields.message === undefined ? undefined : textField(fields, 'message'),
    reply:
      fields.replyBase64 === undefined
        ? (fields.reply as string | undefined)
        : new Uint8Array(Buffer.from(textField(fields, 'replyBase64'), 'base64')),
    atMs: numberField(fields, 'atMs'),
  }
}

export function parseObject(text: string): Record<string, unknown> {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw badRow('it is not JSON', cause)
  }
  if (typeof value !== 'object' || value === null) throw badRow('it is no object')
  return value as Record<string, unknown>
}

export function textField(fields: Record<string, unknown>, name: string): string {
  const value = fields[name]
  if (typeof value !== 'string') throw badRow(`its field "${name}" is no text`)
  return value
}

export function numberField(fields: Record<string, unknown>, name: string): number {
  const value = fields[name]
  if (typeof value !== 'number' || !Number.isFinite(value)) throw badRow(`its field "${name}" is no number`)
  return value
}

function badRow(why: string, cause?: unknown): SkeinError {
  return new SkeinError('corrupt', `Cannot read a command's inbox row or outcome: ${why}`, { cause })
}
