import Type, { type Static } from 'typebox'
import type { Message } from '../bus/index.ts'
import { event } from '../channel/index.ts'

const WEEK_MS = 7 * 24 * 3_600_000

const Kind = Type.Union([
  Type.Literal('joined'),
  Type.Literal('left'),
  Type.Literal('suspect'),
  Type.Literal('lost'),
  Type.Literal('back'),
  Type.Literal('moved'),
  Type.Literal('role-changed'),
  Type.Literal('fenced'),
  Type.Literal('forgotten'),
  Type.Literal('lagging'),
  Type.Literal('stuck'),
  Type.Literal('recovered'),
])

const Fields = Type.Object({
  kind: Kind,
  atMs: Type.Integer({ description: 'node time, ms since 1970-01-01 UTC' }),
  agentId: Type.Optional(Type.String({ description: 'the agent it happened to; absent for the lag of a group' })),
  epoch: Type.Optional(Type.Integer()),
  type: Type.Optional(Type.String()),
  region: Type.Optional(Type.String()),
  reason: Type.Optional(Type.String({ description: 'pulses-missed, connection-closed, pulse' })),
  fromRegion: Type.Optional(Type.String({ description: 'moved: the region before' })),
  byEpoch: Type.Optional(Type.Integer({ description: 'fenced: the newer epoch' })),
  topic: Type.Optional(Type.String({ description: 'lagging, stuck, recovered' })),
  group: Type.Optional(Type.String({ description: 'lagging, stuck, recovered' })),
  lagSeconds: Type.Optional(Type.Number()),
  lagMessages: Type.Optional(Type.Integer()),
})

/** What happens in the swarm, as a channel like any other: `{about}` is the agent's id, or the lagging group. */
export const SwarmEvents = event('skein.swarm.{kind}.{about}', {
  schema: Fields,
  type: 'skein.swarm',
  retention: { ageMs: WEEK_MS },
})

export type SwarmEvent = Readonly<Static<typeof Fields>>
export type SwarmEventKind = Static<typeof Kind>

/** The roster record that an event tells of, as a header. */
export const ROSTER_SEQUENCE_HEADER = 'skeinroster'

const ABOUT_MAX = 256

const ENVELOPE = Object.freeze({
  specversion: '1.0',
  type: SwarmEvents.type,
  source: 'skein',
  datacontenttype: SwarmEvents.value.contentType,
  dataschema: `urn:skein:schema:${SwarmEvents.value.schemaId}`,
})

/** The message of an event. The id is derived, so that telling it twice stores it once. */
export function swarmMessage(told: SwarmEvent, id: string, rosterSequence: number | undefined): Message {
  const about = levelOf(told.agentId ?? told.group ?? '')
  return {
    subject: SwarmEvents.subject.fill([told.kind, about]),
    key: about,
    value: SwarmEvents.value.encode(told),
    id,
    timestampMs: told.atMs,
    headers:
      rosterSequence === undefined ? ENVELOPE : { ...ENVELOPE, [ROSTER_SEQUENCE_HEADER]: String(rosterSequence) },
  }
}

/** A name as one level of a subject: groups may have dots and whatever else. */
function levelOf(name: string): string {
  return name.replace(/[\s.*>{}\p{Cc}]/gu, '-').slice(0, ABOUT_MAX) || '-'
}
