import Type from 'typebox'
import { command, telemetry } from '../../src/fabric/index.ts'

const PositionSchema = Type.Object({
  sequence: Type.Integer(),
  agentId: Type.String({ minLength: 1 }),
  latitude: Type.Number({ minimum: -90, maximum: 90 }),
  longitude: Type.Number({ minimum: -180, maximum: 180 }),
  altitude: Type.Number(),
  heading: Type.Number(),
  battery: Type.Number(),
})

/** A topic of its own for each round, so that every round stores and reads the same number. */
export function positionsOf(round: string) {
  return telemetry(`bench.${round}.{agentId}`, { schema: PositionSchema, key: 'agentId', durability: 'durable' })
}

/** Says when it was sent; its handler says how long ago that was. */
export const Turn = command('bench-commands.{agentId}.turn', {
  schema: Type.Object({ sentAtMs: Type.Number() }),
  reply: Type.Object({ waitedMs: Type.Number() }),
  startWithinMs: 10_000,
  overlap: 'parallel',
})

export const COMMANDED_AGENT = 'commanded'
