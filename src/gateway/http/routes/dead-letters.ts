import type { FastifyInstance } from 'fastify'
import Type, { type Static } from 'typebox'
import { type Delivery, deadLetterOrigin, deadLetterTopic } from '../../../bus/index.ts'
import { openBroadcast } from '../consumption.ts'
import { failures, topicParams } from '../schemas.ts'
import type { GatewayServices } from '../services.ts'
import { takeLines } from '../take-lines.ts'

const input = Type.Object(
  {
    group: Type.Optional(Type.String({ description: 'only what this group gave up; default: all' })),
    max: Type.Optional(Type.Integer({ minimum: 1 })),
  },
  { additionalProperties: false },
)

const query = Type.Object(
  {
    group: Type.Optional(Type.String({ description: 'only what this group gave up; default: all' })),
    from: Type.Optional(
      Type.String({ description: 'earliest, a time, or the `next` of an answer. Default: earliest' }),
    ),
    max: Type.Optional(Type.Integer({ minimum: 1, maximum: 10_000, default: 100 })),
  },
  { additionalProperties: false },
)

const letters = Type.Object({
  topic: Type.String(),
  letters: Type.Array(Type.Record(Type.String(), Type.Unknown()), {
    description:
      'messages as they were; the headers skeindead… say whence, by which group, after how many attempts and why',
  }),
  next: Type.Optional(
    Type.String({ description: 'give it as `from` to go on; none when there never was a dead letter' }),
  ),
})

/** Dead letters are read like any topic: those of `a.b` are the topic `skein.dead.a.b`. */
export function deadLetterRoutes(app: FastifyInstance, services: GatewayServices): void {
  listRoute(app, services)
  replayRoute(app, services)
}

/** `GET /v1/topics/{topic}/dead-letters`: some of them, and where to ask next. */
function listRoute(app: FastifyInstance, { bus, signal }: GatewayServices): void {
  app.get<{ Params: Static<typeof topicParams>; Querystring: Static<typeof query> }>(
    '/v1/topics/:topic/dead-letters',
    {
      schema: {
        operationId: 'listDeadLetters',
        summary: 'Messages that groups gave up, with why and whence',
        tags: ['topics'],
        params: topicParams,
        querystring: query,
        response: {
          200: { description: 'the oldest first', content: { 'application/json': { schema: letters } } },
          ...failures,
        },
      },
    },
    async (request, reply) => {
      const { topic } = request.params
      const { group, from = 'earliest', max = 100 } = request.query
      await bus.admin.describeTopic(topic)
      const deadTopic = deadLetterTopic(topic)
      reply.type('application/json')
      if (!(await bus.admin.listTopics()).includes(deadTopic)) return reply.send({ topic, letters: [] })
      const { reader, cursor } = await openBroadcast(bus, deadTopic, { from })
      const isWanted = ({ headers }: Delivery) => group === undefined || deadLetterOrigin(headers)?.group === group
      try {
        const lines = await takeLines(reader, cursor, { max, isWanted, signal })
        const head = JSON.stringify({ topic }).slice(0, -1)
        return reply.send(Buffer.from(`${head},"letters":[${lines.join(',')}],"next":"${cursor}"}\n`))
      } finally {
        await reader.close()
      }
    },
  )
}

/** `POST /v1/topics/{topic}/dead-letters/replay`. */
function replayRoute(app: FastifyInstance, { bus }: GatewayServices): void {
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
