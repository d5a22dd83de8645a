import type { FastifyInstance } from 'fastify'
import Type, { type Static } from 'typebox'
import { checkNotOwnTopic, type TopicDescription, type TopicSpec } from '../../../bus/index.ts'
import { checkSubject } from '../../../core/index.ts'
import { durability, failures, intent, position, topicParams } from '../schemas.ts'
import type { GatewayServices } from '../services.ts'

const specInput = Type.Object(
  {
    intent,
    partitions: Type.Optional(Type.Integer({ minimum: 1, maximum: 1024 })),
    durability: Type.Optional(durability),
    retention: Type.Optional(
      Type.Object(
        { ageMs: Type.Optional(Type.Integer({ minimum: 1 })), bytes: Type.Optional(Type.Integer({ minimum: 1 })) },
        { additionalProperties: false },
      ),
    ),
    compaction: Type.Optional(
      Type.Object({ tombstoneMs: Type.Optional(Type.Integer({ minimum: 1 })) }, { additionalProperties: false }),
    ),
    deduplicationWindowMs: Type.Optional(Type.Integer({ minimum: 0 })),
    ttlMs: Type.Optional(Type.Integer({ minimum: 1 })),
    messageBytesMax: Type.Optional(Type.Integer({ minimum: 1 })),
  },
  { additionalProperties: false },
)

const partition = Type.Object({
  partition: Type.Integer(),
  start: position,
  end: position,
  bytes: Type.Integer(),
})

const topicOutput = Type.Object(
  { name: Type.String(), intent, durability: Type.String(), partitions: Type.Array(partition) },
  { additionalProperties: true },
)

/** Topics: list, describe, create. */
export function topicRoutes(app: FastifyInstance, { bus }: GatewayServices): void {
  app.get(
    '/v1/topics',
    {
      schema: {
        operationId: 'listTopics',
        summary: 'All topics',
        tags: ['topics'],
        response: { 200: Type.Object({ topics: Type.Array(topicOutput) }), ...failures },
      },
    },
    async () => {
      const names = await bus.admin.listTopics()
      return { topics: (await Promise.all(names.map((name) => bus.admin.describeTopic(name)))).map(shown) }
    },
  )

  app.get<{ Params: Static<typeof topicParams> }>(
    '/v1/topics/:topic',
    {
      schema: {
        operationId: 'describeTopic',
        summary: 'One topic and its partitions',
        tags: ['topics'],
        params: topicParams,
        response: { 200: topicOutput, ...failures },
      },
    },
    async (request) => shown(await bus.admin.describeTopic(request.params.topic)),
  )

  app.put<{ Params: Static<typeof topicParams>; Body: Omit<TopicSpec, 'name'> }>(
    '/v1/topics/:topic',
    {
      schema: {
        operationId: 'openTopic',
        summary: 'Make a topic, or check that it has these settings',
        tags: ['topics'],
        params: topicParams,
        body: specInput,
        response: { 200: topicOutput, ...failures },
      },
    },
    async (request) => {
      const name = request.params.topic
      checkSubject(name, 'topic')
      checkNotOwnTopic(name)
      await bus.open({ ...request.body, name })
      return shown(await bus.admin.describeTopic(name))
    },
  )
}

function shown({ spec, capabilities, partitions }: TopicDescription) {
  return { ...spec, durability: capabilities.durability, partitions }
}
