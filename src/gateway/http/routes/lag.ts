import type { FastifyInstance } from 'fastify'
import Type, { type Static } from 'typebox'
import { lagEverywhere } from '../../../bus/index.ts'
import { failures } from '../schemas.ts'
import type { GatewayServices } from '../services.ts'

const query = Type.Object(
  {
    topic: Type.Optional(Type.String({ description: 'default: all topics' })),
    group: Type.Optional(Type.String({ description: 'default: all groups' })),
  },
  { additionalProperties: false },
)

const lagOutput = Type.Object({
  topic: Type.String(),
  group: Type.Optional(Type.String()),
  partition: Type.Integer(),
  messages: Type.Integer({ description: 'not yet acknowledged' }),
  seconds: Type.Optional(Type.Number({ description: 'that the oldest of them has waited' })),
})

/** `GET /v1/lag`: how far groups are behind. */
export function lagRoute(app: FastifyInstance, { bus }: GatewayServices): void {
  app.get<{ Querystring: Static<typeof query> }>(
    '/v1/lag',
    {
      schema: {
        operationId: 'lag',
        summary: 'How far consumer groups are behind, in messages and seconds',
        tags: ['topics'],
        querystring: query,
        response: { 200: Type.Object({ lag: Type.Array(lagOutput) }), ...failures },
      },
    },
    async (request) => {
      const { topic, group } = request.query
      return { lag: topic === undefined ? await lagEverywhere(bus, group) : await bus.admin.lag(topic, group) }
    },
  )
}
