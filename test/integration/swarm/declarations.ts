import Type from 'typebox'
import { command, telemetry } from '../../../src/fabric/index.ts'

export const Note = command('swarm.commands.{agentId}.note', {
  schema: Type.Object({ text: Type.String() }),
  reply: Type.Object({ epoch: Type.Integer() }),
  startWithinMs: 10_000,
  overlap: 'queue',
})

export const Beat = telemetry('swarm.telemetry.{region}.{agentId}', {
  schema: Type.Object({ count: Type.Integer() }),
  key: 'agentId',
})
