import type { FastifyInstance } from 'fastify'
import Type, { type Static } from 'typebox'
import { failures, topicParams } from '../schemas.ts'
import type { GatewayServices } from '../services.ts'

const input = Type.Object(
  {
    group: Type.Optional(Type.String({ description: 'only what this group gave up; default: all' })),
    max: Type.Optional(Type.Integer({ minimum: 1 })),
  },
  { additionalProperties: false },
)

/**
 * `POST /v1/topics/{topic}/dead-letters/replay`. Dead letters are read like any topic: those of `a.b` are the topic
 * `skein.dead.a.b`.
 */
export function deadLetterRoute(app: FastifyInstance, { bus }: GatewayServices): void {
  app.post<{ Params: Static<typeof topicParams>; Body: Static<typeof input> }>(
    '/v1/topics/:topic/dead-letters/replay',
    {
      schema: {
        operationId: 'replayDeadLetters',
        summary: 'Publish the dead letters of a topic again',
        tags: ['topics'],
        params: topicParams,
        body: input,
        response: { 200: Type.Object({ topic: Type.String(), replayed: Type.Integer() }), ...failures },
      },
    },
    async (request) => {
      const { topic } = request.params
      await bus.admin.describeTopic(topic)
      return { topic, replayed: await bus.admin.replayDeadLetters(topic, request.body) }
    },
  )
}
