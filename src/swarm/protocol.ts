import { type ErrorCode, errorText, SkeinError } from '../core/index.ts'
import {
  type AgentChange,
  type AgentDescription,
  checkAgentId,
  checkChange,
  checkDescription,
} from './agent-description.ts'

/** Asks for a place in the swarm. The same `joinId` again, after a lost answer, is answered with the same epoch. */
export interface JoinRequest extends AgentDescription {
  readonly joinId: string
}

export interface JoinReply {
  readonly epoch: number
  /** Node time, ms since 1970-01-01 UTC. */
  readonly nowMs: number
  /** How often to pulse, ms. */
  readonly pulseMs: number
  /** How long after an exchange the agent may act without another one, ms. */
  readonly leaseMs: number
}

export interface AgentRequest {
  readonly id: string
  readonly epoch: number
}

export interface PulseReply {
  /** `fenced`: a newer epoch took its place. `unknown`: the node has no such agent (any more). */
  readonly state: 'alive' | 'fenced' | 'unknown'
  /** The newest epoch of this id, when there is one. */
  readonly epoch: number | undefined
  readonly nowMs: number
}

export interface ChangeRequest extends AgentRequest {
  readonly change: AgentChange
}

/** Agents that one question about the last time heard may name. */
export const HEARD_IDS_MAX = 1_000

export interface HeardReply {
  /** Node time of the last sign of life of each agent asked for, in that order; null for one that is not known. */
  readonly heardAtMs: ReadonlyArray<number | null>
}

/** Reads a question about the last time heard. Throws `bad-argument`. */
export function parseHeard(text: string): readonly string[] {
  const { ids } = parseObject(text, 'question')
  if (!Array.isArray(ids) || ids.length > HEARD_IDS_MAX) throw malformed('question', 'ids')
  for (const id of ids) checkAgentId(id)
  return ids
}

/** Reads a join request from anyone: every field is checked. Throws `bad-argument`. */
export function parseJoin(text: string): JoinRequest {
  const body = parseObject(text, 'join request')
  const { joinId } = body
  if (typeof joinId !== 'string' || joinId === '' || joinId.length > 128) throw malformed('join request', 'joinId')
  const description = body as unknown as AgentDescription
  checkDescription(description)
  const { id, type, region, labels = {}, capabilities = [] } = description
  return { id, type, region, labels, capabilities, joinId }
}

/** Reads a pulse or leave request. Throws `bad-argument`. */
export function parseAgentRequest(text: string): AgentRequest {
  return agentOf(parseObject(text, 'agent request'))
}

/** Reads a change request. Throws `bad-argument`. */
export function parseChange(text: string): ChangeRequest {
  const body = parseObject(text, 'change request')
  const change = body.change
  if (typeof change !== 'object' || change === null) throw malformed('change request', 'change')
  checkChange(change as AgentChange)
  return { ...agentOf(body), change: change as AgentChange }
}

/** The body of an answer: `{"ok":…}` or `{"error":{code,message,…}}`. */
export function encodeAnswer(value: unknown): string {
  return JSON.stringify({ ok: value })
}

export function encodeRefusal(error: unknown): string {
  const { code, message, retryable, details } =
    error instanceof SkeinError ? error : new SkeinError('io-failed', `Cannot answer: ${errorText(error)}`)
  return JSON.stringify({ error: { code, message, retryable, details } })
}

/** The value of an answer; a refusal is thrown as the error that it names. */
export function decodeAnswer<T>(text: string): T {
  const body = parseObject(text, 'answer of the node')
  const refusal = body.error
  if (typeof refusal === 'object' && refusal !== null) throw errorOf(refusal as Record<string, unknown>)
  return body.ok as T
}

/** The text of a request's or reply's value. */
export function textOf(value: Uint8Array | string): string {
  return typeof value === 'string' ? value : Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString()
}

function agentOf(body: Record<string, unknown>): AgentRequest {
  const { id, epoch } = body
  checkAgentId(id)
  if (!Number.isSafeInteger(epoch) || (epoch as number) < 0) throw malformed('agent request', 'epoch')
  return { id, epoch: epoch as number }
}

function errorOf(refusal: Record<string, unknown>): SkeinError {
  const { code, message, retryable, details } = refusal
  return new SkeinError(code as ErrorCode, String(message), {
    retryable: retryable === true,
    details: (details ?? {}) as Record<string, unknown>,
  })
}

function parseObject(text: string, what: string): Record<string, unknown> {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw new SkeinError('bad-argument', `Cannot read the ${what}: it is no JSON`, { cause })
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw malformed(what, 'body')
  return value as Record<string, unknown>
}

function malformed(what: string, field: string): SkeinError {
  return new SkeinError('bad-argument', `Cannot read the ${what}: its field "${field}" is missing or malformed`, {
    details: { field },
  })
}
