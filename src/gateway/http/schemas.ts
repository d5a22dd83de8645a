import Type from 'typebox'

export const topicParams = Type.Object({ topic: Type.String({ description: 'the topic, such as swarm.telemetry' }) })

export const intent = Type.Enum(['telemetry', 'event', 'command', 'notice', 'query'])

export const durability = Type.Enum(['none', 'written', 'durable', 'replicated', 'quorum-durable', 'safe'])

export const headers = Type.Record(Type.String(), Type.String())

export const position = Type.Object({ partition: Type.Integer(), sequence: Type.Integer() })

/** What every error is answered with. */
const problem = Type.Object(
  {
    type: Type.String({ description: 'urn:skein:error:<code>' }),
    title: Type.String(),
    status: Type.Integer(),
    detail: Type.String({ description: 'what was tried, what the state is, what to do' }),
    code: Type.String(),
    retryable: Type.Boolean({ description: 'the same request may succeed later without anybody changing anything' }),
    facts: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
  },
  { description: 'an error, as application/problem+json (RFC 9457)' },
)

/** Responses of every route beside its own. */
export const failures = {
  '4xx': { description: 'the request cannot be served', content: { 'application/problem+json': { schema: problem } } },
  '5xx': { description: 'the node cannot serve', content: { 'application/problem+json': { schema: problem } } },
}
