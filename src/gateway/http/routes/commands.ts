import type { FastifyInstance } from 'fastify'
import Type, { type Static } from 'typebox'
import { checkNotOwnTopic, openIfMissing } from '../../../bus/index.ts'
import { type AgentSelector, ANONYMOUS, type CommandTarget, command, type Outcome } from '../../../channel/index.ts'
import { SkeinError, uuidV7 } from '../../../core/index.ts'
import { failures } from '../schemas.ts'
import type { GatewayServices } from '../services.ts'

/** Commands sent over HTTP whose outcome is still waited for; how many bytes of them, the sender bounds. */
const PENDING_MAX = 10_000

const selector = Type.Object(
  {
    type: Type.Optional(Type.String()),
    region: Type.Optional(Type.String()),
    capability: Type.Optional(Type.String()),
    labels: Type.Optional(Type.Record(Type.String(), Type.String())),
  },
  { additionalProperties: false },
)

const input = Type.Object(
  {
    command: Type.String({
      description: 'the pattern under which the agent handles it, such as swarm.commands.{agentId}.move-to',
    }),
    target: Type.Union([Type.String(), Type.Array(Type.String(), { minItems: 1 }), selector], {
      description: 'an agent, several, or whoever the roster has under a selector',
    }),
    value: Type.Unsafe<unknown>({ description: 'any JSON that fits the schema of the command' }),
    intentId: Type.Optional(
      Type.String({ minLength: 1, maxLength: 256, description: 'the same id again asks for the same outcome' }),
    ),
    startWithinMs: Type.Integer({ minimum: 1, description: 'claimed later than this it is expired and never runs' }),
    completeWithinMs: Type.Optional(Type.Integer({ minimum: 1 })),
    waitMs: Type.Optional(
      Type.Integer({ minimum: 0, maximum: 60_000, default: 30_000, description: 'how long this request waits' }),
    ),
  },
  { additionalProperties: false },
)

const outcome = Type.Object(
  {
    intentId: Type.String(),
    agentId: Type.String(),
    state: Type.Enum(['done', 'rejected', 'failed', 'expired', 'unknown']),
    reason: Type.Optional(Type.String()),
    message: Type.Optional(Type.String()),
    reply: Type.Optional(Type.Unknown()),
  },
  { additionalProperties: true },
)

const outcomes = Type.Object({ intentId: Type.String(), outcomes: Type.Array(outcome) })

const pendingOutput = Type.Object({ intentId: Type.String(), state: Type.Literal('pending') })

const params = Type.Object({ intentId: Type.String() })
const query = Type.Object({ agent: Type.Optional(Type.String()) }, { additionalProperties: false })

/** Commands: send one and wait for its outcome, or ask for it later. */
export function commandRoutes(app: FastifyInstance, services: GatewayServices): void {
  const sending = new Sending(services)

  app.post<{ Body: Static<typeof input> }>(
    '/v1/commands',
    {
      schema: {
        operationId: 'sendCommand',
        summary: 'Send a command; the answer is its outcome, or 202 when there is none yet',
        tags: ['commands'],
        body: input,
        response: { 200: outcomes, 202: pendingOutput, ...failures },
      },
    },
    async (request, reply) => {
      const intentId = request.body.intentId ?? uuidV7(services.clock, services.random)
      const answer = await sending.send(request.body, { intentId, connection: request.raw.socket })
      if (answer !== undefined) return { intentId, outcomes: answer }
      reply.status(202).header('location', `/v1/commands/${encodeURIComponent(intentId)}`)
      return { intentId, state: 'pending' as const }
    },
  )

  app.get<{ Params: Static<typeof params>; Querystring: Static<typeof query> }>(
    '/v1/commands/:intentId',
    {
      schema: {
        operationId: 'commandOutcome',
        summary: 'What became of a command, one outcome per agent; 404 for an id that nobody knows',
        tags: ['commands'],
        params,
        querystring: query,
        response: { 200: outcomes, ...failures },
      },
    },
    async (request) => {
      const { intentId } = request.params
      const { agent } = request.query
      // Looked at before the node is asked: what leaves it meanwhile is known to the node.
      const isUnderWay = sending.has(intentId)
      const found = await services.commands.outcome(intentId)
      if (found.length === 0 && !isUnderWay) throw unknownIntent(intentId)
      return { intentId, outcomes: found.filter(({ agentId }) => agent === undefined || agentId === agent) }
    },
  )
}

/** Commands on their way. What takes longer than its request waits is still resent and its outcome recorded. */
class Sending {
  readonly #services: GatewayServices
  readonly #bytes = new WeakMap<object, number>()
  /** By intent, how many requests of it are under way: the node may not have heard of it yet. */
  readonly #intents = new Map<string, number>()
  #pending = 0

  constructor(services: GatewayServices) {
    this.#services = services
  }

  /** The outcomes, or undefined when there are none within `waitMs`. */
  async send(
    request: Static<typeof input>,
    from: { readonly intentId: string; readonly connection: object },
  ): Promise<readonly Outcome[] | undefined> {
    const leave = this.#enter(from.connection, Buffer.byteLength(JSON.stringify(request.value)))
    this.#count(from.intentId, 1)
    const sent = this.#send(request, from.intentId).finally(() => {
      this.#count(from.intentId, -1)
      leave()
    })
    const stop = new AbortController()
    const timeout = this.#services.clock.sleep(request.waitMs ?? 30_000, { signal: stop.signal }).then(
      () => undefined,
      () => undefined,
    )
    try {
      return await Promise.race([sent, timeout])
    } finally {
      stop.abort()
      // A failure after the answer is nobody's: the outcome can be asked for.
      sent.catch(() => {})
    }
  }

  has(intentId: string): boolean {
    return this.#intents.has(intentId)
  }

  #count(intentId: string, change: number): void {
    const count = (this.#intents.get(intentId) ?? 0) + change
    if (count === 0) this.#intents.delete(intentId)
    else this.#intents.set(intentId, count)
  }

  /** One connection may have so many bytes waiting that it does not crowd out the others. */
  #enter(connection: object, bytes: number): () => void {
    const bytesMax = this.#services.pendingBytesMax
    const before = this.#bytes.get(connection) ?? 0
    if (this.#pending >= PENDING_MAX) throw overloaded(`${PENDING_MAX} are waiting for their outcome`)
    if (before > 0 && before + bytes > bytesMax) {
      throw overloaded(`${before} bytes of this connection's are waiting for their outcome, and ${bytesMax} may`)
    }
    this.#pending += 1
    this.#bytes.set(connection, before + bytes)
    return () => {
      this.#pending -= 1
      this.#bytes.set(connection, (this.#bytes.get(connection) ?? 0) - bytes)
    }
  }

  async #send(request: Static<typeof input>, intentId: string): Promise<readonly Outcome[]> {
    const { bus, commands, admission, signal } = this.#services
    const declared = untyped(request)
    const topic = declared.topicSpec.name
    checkNotOwnTopic(topic)
    const bytes = Buffer.byteLength(JSON.stringify(request.value))
    await admission?.admit({ principal: ANONYMOUS, agent: undefined, topic, messages: 1, bytes })
    await openIfMissing(bus, declared.topicSpec)
    const target = request.target as CommandTarget
    if (typeof target === 'string') return [await commands.send(declared, target, request.value, { intentId, signal })]
    return commands.send(declared, target as readonly string[] | AgentSelector, request.value, { intentId, signal })
  }
}

function unknownIntent(intentId: string): SkeinError {
  return new SkeinError(
    'not-found',
    `Cannot say what became of command "${intentId}": nobody knows an intent of that id; what is older than a day is forgotten`,
    { details: { intentId } },
  )
}

function overloaded(state: string): SkeinError {
  return new SkeinError('overloaded', `Cannot send the command: ${state}; try again later`, { retryable: true })
}

/** The command as this side knows it: any JSON goes, the agent checks it by its schema. */
function untyped({ command: pattern, startWithinMs, completeWithinMs }: Static<typeof input>) {
  return command(pattern, {
    schema: Type.Unknown(),
    reply: Type.Unknown(),
    startWithinMs,
    ...(completeWithinMs !== undefined && { completeWithinMs }),
    overlap: 'queue',
  })
}
