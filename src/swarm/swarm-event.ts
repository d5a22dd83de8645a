import type { Message } from '../bus/index.ts'
import { SWARM_TOPIC } from './topics.ts'

export type SwarmEventKind =
  | 'joined'
  | 'left'
  | 'suspect'
  | 'lost'
  /** Alive again after `suspect` or `lost`. */
  | 'back'
  | 'moved'
  | 'role-changed'
  | 'fenced'
  | 'forgotten'
  | 'lagging'
  | 'recovered'
  | 'stuck'

/** What happened in the swarm. Subject: `skein.swarm.{kind}.{agent id or group}`. */
export interface SwarmEvent {
  readonly kind: SwarmEventKind
  /** Node time, ms since 1970-01-01 UTC. */
  readonly atMs: number
  /** The agent it happened to; absent for the lag of a group. */
  readonly agentId?: string
  readonly epoch?: number
  readonly type?: string
  readonly region?: string
  /** Why: `pulses-missed`, `connection-closed`, `pulse`. */
  readonly reason?: string
  /** `moved`: the region before. */
  readonly fromRegion?: string
  /** `fenced`: the newer epoch. */
  readonly byEpoch?: number
  /** `lagging`, `recovered`, `stuck`. */
  readonly topic?: string
  readonly group?: string
  readonly lagSeconds?: number
  readonly lagMessages?: number
}

/** `rosterSequence` in this header: the roster record that this event tells of. */
export const ROSTER_SEQUENCE_HEADER = 'skeinroster'

/** The message of an event. The id is derived, so that telling it twice stores it once. */
export function swarmMessage(event: SwarmEvent, id: string, rosterSequence: number | undefined): Message {
  const about = event.agentId ?? event.group ?? ''
  const base = { 'content-type': 'application/json', type: `skein.swarm.${event.kind}` }
  return {
    subject: `${SWARM_TOPIC}.${event.kind}.${about}`,
    key: about,
    value: JSON.stringify(event),
    id,
    timestampMs: event.atMs,
    headers: rosterSequence === undefined ? base : { ...base, [ROSTER_SEQUENCE_HEADER]: String(rosterSequence) },
  }
}
