import type { Delivery, Message } from '../bus/index.ts'
import type { AgentRecord } from '../channel/index.ts'
import { SkeinError } from '../core/index.ts'
import type { SwarmEvent } from './swarm-event.ts'
import { ROSTER_TOPIC } from './topics.ts'

/** An agent as the decider keeps it. */
export interface AgentState extends AgentRecord {
  /** Of the request that made this epoch: a repeat of it is answered alike. */
  readonly joinId: string
}

/** What one record of the roster topic says. A join's epoch is its own position, so it cannot stand inside. */
interface RosterBody extends Omit<AgentState, 'epoch'> {
  readonly epoch?: number
  /** What to tell of it on the event topic, should the decider die before it did. */
  readonly events: RosterEvents
}

/** Events as they stand in a record: those of a join lack the epoch that its position gives. */
export type RosterEvents = readonly SwarmEvent[]

/** Who decided: the position of the decider's own record. Records of an older decider after a newer one do not count. */
const OWNER_HEADER = 'skeinowner'
const OWNER_KEY_PREFIX = 'skein.owner'

export type RosterEntry =
  | { readonly kind: 'owner'; readonly sequence: number }
  | {
      readonly kind: 'agent'
      readonly ownerEpoch: number
      readonly state: AgentState
      readonly events: readonly SwarmEvent[]
    }
  | { readonly kind: 'forgotten'; readonly ownerEpoch: number; readonly agentId: string }

/** Announces a decider. Agent ids have no dots, so the key is nobody's. */
export function ownerMessage(nodeId: string, nowMs: number): Message {
  return {
    subject: `${ROSTER_TOPIC}.owners.${nodeId}`,
    key: OWNER_KEY_PREFIX,
    value: JSON.stringify({ nodeId, startedAtMs: nowMs }),
  }
}

/** The record of a state; without `epoch` for a join, whose position becomes its epoch. */
export function stateMessage(
  state: Omit<AgentState, 'epoch'> & { readonly epoch?: number },
  events: RosterEvents,
  ownerHeaders: OwnerHeaders,
): Message {
  const body: RosterBody = { ...state, events }
  return { subject: subjectOf(state.id), key: state.id, value: JSON.stringify(body), headers: ownerHeaders }
}

/** Removes an agent from the roster for good. */
export function forgetMessage(agentId: string, ownerHeaders: OwnerHeaders): Message {
  return { subject: subjectOf(agentId), key: agentId, value: null, headers: ownerHeaders }
}

export type OwnerHeaders = Readonly<Record<string, string>>

export function ownerHeaders(ownerEpoch: number): OwnerHeaders {
  return Object.freeze({ [OWNER_HEADER]: String(ownerEpoch) })
}

/** Reads a record back. Throws `corrupt` for one that no decider wrote. */
export function readRosterEntry(delivery: Delivery): RosterEntry {
  const { sequence } = delivery.position
  if (delivery.key === OWNER_KEY_PREFIX) return { kind: 'owner', sequence }
  const ownerEpoch = Number(delivery.headers[OWNER_HEADER])
  if (delivery.key === undefined || !Number.isSafeInteger(ownerEpoch)) throw unreadable(delivery)
  if (delivery.value === null) return { kind: 'forgotten', ownerEpoch, agentId: delivery.key }
  try {
    const { events, ...state } = JSON.parse(delivery.text()) as RosterBody
    const epoch = state.epoch ?? sequence
    return { kind: 'agent', ownerEpoch, state: { ...state, epoch }, events: withEpoch(events, epoch) }
  } catch (cause) {
    throw unreadable(delivery, cause)
  }
}

/** Fills in the epoch that a join's events did not know yet. */
export function withEpoch(events: RosterEvents, epoch: number): readonly SwarmEvent[] {
  return events.map((event) => {
    if (event.kind === 'joined') return { ...event, epoch }
    return event.kind === 'fenced' ? { ...event, byEpoch: epoch } : event
  })
}

function subjectOf(agentId: string): string {
  return `${ROSTER_TOPIC}.agents.${agentId}`
}

function unreadable(delivery: Delivery, cause?: unknown): SkeinError {
  const at = delivery.position.sequence
  return new SkeinError('corrupt', `Cannot read roster record ${at}: only the node may write to ${ROSTER_TOPIC}`, {
    cause,
    details: { topic: ROSTER_TOPIC, sequence: at },
  })
}
