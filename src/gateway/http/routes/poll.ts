import type { FastifyInstance } from 'fastify'
import Type, { type Static } from 'typebox'
import { consumptionQuery, openBroadcast } from '../consumption.ts'
import { failures, topicParams } from '../schemas.ts'
import type { GatewayServices } from '../services.ts'
import { takeLines } from '../take-lines.ts'

const query = Type.Object(
  {
    ...consumptionQuery,
    max: Type.Optional(Type.Integer({ minimum: 1, maximum: 10_000, default: 100, description: 'messages' })),
    waitMs: Type.Optional(
      Type.Integer({ minimum: 0, maximum: 60_000, default: 0, description: 'how long to wait for the first one' }),
    ),
  },
  { additionalProperties: false },
)

/** `GET /v1/topics/{topic}/messages`: some messages, and where to ask next. */
export function pollRoute(app: FastifyInstance, services: GatewayServices): void {
  app.get<{ Params: Static<typeof topicParams>; Querystring: Static<typeof query> }>(
    '/v1/topics/:topic/messages',
    {
      schema: {
        operationId: 'poll',
        summary: 'Messages from a place on, waiting for the first; give `next` as `from` to go on',
        tags: ['messages'],
        params: topicParams,
        querystring: query,
        response: {
          200: {
            description: 'messages in order per key, and the cursor after them',
            content: {
              'application/json': {
                schema: Type.Object({
                  messages: Type.Array(Type.Record(Type.String(), Type.Unknown())),
                  next: Type.String(),
                }),
              },
            },
          },
          ...failures,
        },
      },
    },
    async (request, reply) => {
      const { reader, cursor } = await openBroadcast(services.bus, request.params.topic, request.query)
      try {
        const { max = 100, waitMs = 0 } = request.query
        const lines = await takeLines(reader, cursor, { max, waitMs, signal: services.signal })
        reply.type('application/json')
        return reply.send(Buffer.from(`{"messages":[${lines.join(',')}],"next":"${cursor}"}\n`))
      } finally {
        await reader.close()
      }
    },
  )
}
