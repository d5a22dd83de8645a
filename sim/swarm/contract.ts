import { Type } from 'typebox'
import { command, contract, event, telemetry } from '../../src/fabric/index.ts'

/** Who made a report: its incarnation, and its own count from 1. With the subject's agent it names the report for good. */
const Origin = { epoch: Type.Integer(), count: Type.Integer() }

export const Position = telemetry('swarm.telemetry.{region}.{agentId}', {
  schema: Type.Object({ ...Origin, latitude: Type.Number(), longitude: Type.Number(), altitude: Type.Number() }),
  key: 'agentId',
  partitions: 2,
  durability: 'safe',
})

export const Health = telemetry('swarm.health.{agentId}', {
  schema: Type.Object({ ...Origin, battery: Type.Number(), memoryBytes: Type.Integer() }),
  key: 'agentId',
  durability: 'safe',
})

export const Frame = telemetry('swarm.frames.{region}.{agentId}', {
  schema: Type.Object({ ...Origin, objects: Type.Integer(), sharpness: Type.Number() }),
  key: 'agentId',
  durability: 'safe',
})

const Point = Type.Object({ latitude: Type.Number(), longitude: Type.Number() })

/** A new destination makes the running one pointless. */
export const MoveTo = command('swarm.commands.{agentId}.move-to', {
  schema: Point,
  reply: Point,
  startWithinMs: 2_000,
  completeWithinMs: 6_000,
  overlap: 'replace',
})

/** One after another; who waits too long is not inspected at all. */
export const Inspect = command('swarm.commands.{agentId}.inspect', {
  schema: Type.Object({ object: Type.String() }),
  startWithinMs: 1_500,
  completeWithinMs: 6_000,
  overlap: 'queue',
})

/** Any number at a time. */
export const Capture = command('swarm.commands.{agentId}.capture', {
  schema: Type.Object({ exposureMs: Type.Number() }),
  startWithinMs: 1_000,
  overlap: 'parallel',
})

export const Plan = command('swarm.commands.{agentId}.plan', {
  schema: Type.Object({ goal: Type.String() }),
  reply: Type.Object({ steps: Type.Array(Type.String()) }),
  startWithinMs: 2_000,
  overlap: 'queue',
})

/** Worth waiting for an agent that is away: it is held until it is back, or too old. */
export const Survey = command('swarm.commands.{agentId}.survey', {
  schema: Type.Object({ area: Type.String() }),
  startWithinMs: 8_000,
  completeWithinMs: 6_000,
  overlap: 'queue',
})

export const Sighting = event('swarm.events.sighting', {
  schema: Type.Object({ camera: Type.String(), object: Type.String() }),
  key: 'camera',
})

export const TELEMETRY = { Position, Health, Frame } as const

export const CONTRACT = contract({ ...TELEMETRY, MoveTo, Inspect, Capture, Plan, Survey, Sighting })
