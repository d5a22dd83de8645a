import { BROADCAST } from '../channel/index.ts'
import { checkSubject, type KeysOf, SkeinError } from '../core/index.ts'

/** Bytes of UTF-8 in an agent's id. */
export const AGENT_ID_BYTES_MAX = 256
const NAME_BYTES_MAX = 256
const LABELS_MAX = 64
const CAPABILITIES_MAX = 64

/** What an agent says of itself when it joins. */
export interface AgentDescription {
  /** Unique in the swarm; one subject level of at most 256 bytes. */
  readonly id: string
  /** What kind of agent it is (`quadrotor`). One subject level. */
  readonly type: string
  /** Where it works; fills `{region}` in subjects. One subject level. */
  readonly region: string
  /** Free pairs to select by. Default: none. */
  readonly labels?: Readonly<Record<string, string>>
  /** What it can do, to select by. Default: none. */
  readonly capabilities?: readonly string[]
}

/** What may change while an agent is in the swarm; a field that is not given stays. */
export interface AgentChange {
  readonly type?: string
  readonly region?: string
  readonly labels?: Readonly<Record<string, string>>
  readonly capabilities?: readonly string[]
}

export const AGENT_CHANGE_KEYS: KeysOf<AgentChange> = { type: true, region: true, labels: true, capabilities: true }

/** Throws `bad-argument` unless the id is one subject level of at most 256 bytes. */
export function checkAgentId(id: unknown): asserts id is string {
  checkLevel(id, 'agent id')
  if (id === BROADCAST) throw bad('agent id', `"${BROADCAST}" stands for all agents in subjects of commands`)
}

/** Throws `bad-argument` naming the field that is wrong. */
export function checkDescription(description: AgentDescription): void {
  checkAgentId(description.id)
  checkLevel(description.type, 'agent type')
  checkLevel(description.region, 'region')
  checkChange(description)
}

/** Throws `bad-argument` naming the field that is wrong. */
export function checkChange(change: AgentChange): void {
  if (change.type !== undefined) checkLevel(change.type, 'agent type')
  if (change.region !== undefined) checkLevel(change.region, 'region')
  if (change.labels !== undefined) checkLabels(change.labels)
  if (change.capabilities !== undefined) checkCapabilities(change.capabilities)
}

function checkLevel(value: unknown, what: string): asserts value is string {
  if (value === undefined) throw bad(what, 'it is missing')
  if (typeof value !== 'string') throw bad(what, 'it is not text')
  checkWellFormed(value, what)
  if (Buffer.byteLength(value) > NAME_BYTES_MAX) throw bad(what, `it is longer than ${NAME_BYTES_MAX} bytes`)
  if (value.includes('.')) throw bad(what, 'it has a dot, but must be one subject level')
  try {
    checkSubject(value, what)
  } catch (cause) {
    throw bad(what, 'it must be one subject level: not empty, no spaces, wildcards or braces', cause)
  }
}

function checkLabels(labels: Readonly<Record<string, string>>): void {
  if (typeof labels !== 'object' || labels === null || Array.isArray(labels)) throw bad('labels', 'they are no object')
  const entries = Object.entries(labels)
  if (entries.length > LABELS_MAX) throw bad('labels', `there are more than ${LABELS_MAX}`)
  for (const [name, value] of entries) {
    checkText(name, 'label name')
    checkText(value, `label "${name}"`)
  }
}

function checkCapabilities(capabilities: readonly string[]): void {
  if (!Array.isArray(capabilities)) throw bad('capabilities', 'they are no list')
  if (capabilities.length > CAPABILITIES_MAX) throw bad('capabilities', `there are more than ${CAPABILITIES_MAX}`)
  for (const capability of capabilities) checkText(capability, 'capability')
}

function checkText(value: unknown, what: string): void {
  if (typeof value !== 'string' || value === '') throw bad(what, 'it is empty or not text')
  checkWellFormed(value, what)
  if (Buffer.byteLength(value) > NAME_BYTES_MAX) throw bad(what, `it is longer than ${NAME_BYTES_MAX} bytes`)
}

/** As UTF-8 all halves of surrogate pairs are the same: two names would become one on the wire. */
function checkWellFormed(value: string, what: string): void {
  if (!value.isWellFormed()) throw bad(what, 'it has half of a surrogate pair, which is no character')
}

function bad(what: string, why: string, cause?: unknown): SkeinError {
  return new SkeinError('bad-argument', `Cannot use this ${what}: ${why}`, { details: { field: what, why }, cause })
}
