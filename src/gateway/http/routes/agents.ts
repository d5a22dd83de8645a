import type { FastifyInstance } from 'fastify'
import Type, { type Static } from 'typebox'
import { SkeinError } from '../../../core/index.ts'
import { failures } from '../schemas.ts'
import type { GatewayServices } from '../services.ts'

const agent = Type.Object({
  id: Type.String(),
  type: Type.String(),
  region: Type.String(),
  labels: Type.Record(Type.String(), Type.String()),
  capabilities: Type.Array(Type.String()),
  epoch: Type.Integer({ description: 'greater with every join' }),
  liveness: Type.Enum(['alive', 'suspect', 'lost', 'left']),
  joinedAtMs: Type.Integer(),
  seenAtMs: Type.Integer(),
})

const query = Type.Object(
  {
    type: Type.Optional(Type.String()),
    region: Type.Optional(Type.String()),
    capability: Type.Optional(Type.String()),
  },
  { additionalProperties: false },
)

const params = Type.Object({ agent: Type.String() })

/** The roster. */
export function agentRoutes(app: FastifyInstance, { roster }: GatewayServices): void {
  app.get<{ Querystring: Static<typeof query> }>(
    '/v1/agents',
    {
      schema: {
        operationId: 'listAgents',
        summary: 'Who is in the swarm, and whether they are alive',
        tags: ['swarm'],
        querystring: query,
        response: { 200: Type.Object({ agents: Type.Array(agent) }), ...failures },
      },
    },
    async (request) => {
      await roster.ready()
      return { agents: roster.select(request.query) }
    },
  )

  app.get<{ Params: Static<typeof params> }>(
    '/v1/agents/:agent',
    {
      schema: {
        operationId: 'describeAgent',
        summary: 'One agent',
        tags: ['swarm'],
        params,
        response: { 200: agent, ...failures },
      },
    },
    async (request) => {
      await roster.ready()
      const record = roster.get(request.params.agent)
      if (record) return record
      throw new SkeinError('unknown-agent', `Cannot show the agent "${request.params.agent}": it never joined`)
    },
  )
}
