import type { Delivery, Headers, Message } from '../../bus/index.ts'
import { SkeinError, type SubjectPattern } from '../../core/index.ts'

/** The agent id that stands for all in the subject of a wide fan-out; no agent may have it. */
export const BROADCAST = 'broadcast'

/** An agent that a command is for, as the roster had it when the command was sent. */
export interface Addressee {
  readonly agentId: string
  readonly epoch: number
  /** It was away: the command is for whichever epoch comes next, not only for the one that is gone. */
  readonly held: boolean
}

/** One command on its way, to one agent or to many of one partition. */
export interface CommandRecord {
  readonly intentId: string
  readonly sender: string
  readonly type: string
  /** Absolute, node time. The same in every resend. */
  readonly deadlineMs: number
  readonly addressees: readonly Addressee[]
}

const INTENT = 'skeinintent'
const DEADLINE = 'skeindeadline'
const TARGETS = 'skeintargets'

/** The targets of one record: beyond it a fan-out takes several, so that no header outgrows a message. */
export const ADDRESSEES_MAX = 2_000

/** `key` decides the partition: the agent's id, or for a fan-out any key that falls into it. */
export function encodeCommand(
  record: CommandRecord,
  body: {
    readonly subject: string
    readonly key: string
    readonly value: Uint8Array | string
    readonly codec: { readonly contentType: string; readonly schemaId: string }
    readonly ttlMs: number
  },
): Message {
  return {
    subject: body.subject,
    key: body.key,
    value: body.value,
    ttlMs: body.ttlMs,
    // A resend is the same event: it has the same id.
    id: `${record.intentId}/${record.addressees[0]?.agentId}`,
    headers: {
      specversion: '1.0',
      datacontenttype: body.codec.contentType,
      dataschema: `urn:skein:schema:${body.codec.schemaId}`,
      source: record.sender,
      type: record.type,
      [INTENT]: record.intentId,
      [DEADLINE]: String(record.deadlineMs),
      [TARGETS]: encodeAddressees(record.addressees),
    },
  }
}

/** The headers of a record as one of its agents needs them: whoever else it is for is left out. */
export function headersFor(headers: Headers, record: CommandRecord, agentId: string): Headers {
  return { ...headers, [TARGETS]: encodeAddressees(record.addressees.filter((each) => each.agentId === agentId)) }
}

function encodeAddressees(addressees: readonly Addressee[]): string {
  return JSON.stringify(addressees.map((each) => [each.agentId, each.epoch, each.held ? 1 : 0]))
}

/** Throws `malformed-frame` for a record that is no command. */
export function decodeCommand(delivery: Pick<Delivery, 'headers' | 'subject'>): CommandRecord {
  const { headers } = delivery
  const deadlineMs = Number(headers[DEADLINE])
  const { source: sender, type } = headers
  const intentId = headers[INTENT]
  if (!intentId || !sender || !type || !Number.isFinite(deadlineMs)) {
    throw malformed(delivery.subject, 'its intent id, sender, type or deadline is missing')
  }
  return { intentId, sender, type, deadlineMs, addressees: decodeAddressees(delivery.subject, headers[TARGETS]) }
}

/** The subject of a command to one agent, from its roster record. Throws `bad-subject` for a field nobody can fill. */
export function commandSubject(
  pattern: SubjectPattern,
  agent: { readonly id: string; readonly type: string; readonly region: string },
): string {
  const values: Readonly<Record<string, string>> = { agentId: agent.id, type: agent.type, region: agent.region }
  return pattern.fill(pattern.fields.map((field) => values[field] ?? ''))
}

/** The subject of a wide fan-out. */
export function broadcastSubject(pattern: SubjectPattern): string {
  return pattern.fill(pattern.fields.map(() => BROADCAST))
}

/** What an agent reads: everything below its own id and below `broadcast`, known command or not. */
export function commandFilters(pattern: SubjectPattern, agentId: string): readonly string[] {
  const levels = pattern.pattern.split('.')
  const at = levels.indexOf('{agentId}')
  const before = levels.slice(0, at).map((level) => (level.startsWith('{') ? '*' : level))
  const rest = at === levels.length - 1 ? [] : ['>']
  return [agentId, BROADCAST].map((id) => [...before, id, ...rest].join('.'))
}

function decodeAddressees(subject: string, text: string | undefined): readonly Addressee[] {
  let targets: unknown
  try {
    targets = JSON.parse(text ?? '')
  } catch (cause) {
    throw malformed(subject, 'its targets are not JSON', cause)
  }
  if (!Array.isArray(targets)) throw malformed(subject, 'its targets are no list')
  return targets.map((target: unknown) => {
    if (!Array.isArray(target) || typeof target[0] !== 'string' || typeof target[1] !== 'number') {
      throw malformed(subject, 'a target is no [agent, epoch, held]')
    }
    return { agentId: target[0], epoch: target[1], held: target[2] === 1 }
  })
}

function malformed(subject: string, why: string, cause?: unknown): SkeinError {
  return new SkeinError('malformed-frame', `Cannot read the record on "${subject}" as a command: ${why}`, { cause })
}
