import { command, event, notice, query, telemetry } from 'skein'
import Type from 'typebox'

const Place = Type.Object({
  latitude: Type.Number({ minimum: -90, maximum: 90 }),
  longitude: Type.Number({ minimum: -180, maximum: 180 }),
})

/** Where an agent is. Its identity fills `{region}` and `{agentId}`. */
export const Position = telemetry('swarm.telemetry.{region}.{agentId}', { schema: Place, key: 'agentId' })

/** Fly there. A newer order replaces one that is under way. */
export const MoveTo = command('swarm.commands.{agentId}.move-to', {
  schema: Place,
  reply: Type.Object({ arrivedAt: Place }),
  startWithinMs: 2_000,
  completeWithinMs: 600_000,
  overlap: 'replace',
})

/** Land where you are, now. */
export const Land = command('swarm.commands.{agentId}.land', {
  schema: Type.Object({}),
  startWithinMs: 500,
  overlap: 'replace',
})

/** A target was seen. Kept, in order per target. */
export const Sighting = event('swarm.events.sighting', {
  schema: Type.Object({ targetId: Type.String(), confidence: Type.Number() }),
  key: 'targetId',
})

/** A word to whoever listens now. */
export const Alert = notice('swarm.alerts', { schema: Type.Object({ text: Type.String() }) })

/** How much is left in the battery. */
export const Battery = query('swarm.queries.{agentId}.battery', {
  schema: Type.Object({}),
  reply: Type.Object({ percent: Type.Number() }),
})
