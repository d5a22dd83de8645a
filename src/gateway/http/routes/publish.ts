import { Ajv2020 } from 'ajv/dist/2020.js'
import type { FastifyInstance } from 'fastify'
import Type, { type Static } from 'typebox'
import { checkNotOwnTopic, type Message, type RequestedDurability, type Writer } from '../../../bus/index.ts'
import { type AdmissionRequest, ANONYMOUS } from '../../../channel/index.ts'
import { nearest, SkeinError } from '../../../core/index.ts'
import { type MessageInput, messageInput, messageOf } from '../message-input.ts'
import { durability, failures, position, topicParams } from '../schemas.ts'
import type { GatewayServices } from '../services.ts'
import { WriterPool } from '../writer-pool.ts'

const query = Type.Object(
  {
    durability: Type.Optional(durability),
    subject: Type.Optional(Type.String({ description: 'for a raw body' })),
    key: Type.Optional(Type.String({ description: 'for a raw body' })),
    id: Type.Optional(Type.String({ description: 'for a raw body' })),
    ttlMs: Type.Optional(Type.Integer({ minimum: 1, description: 'for a raw body' })),
  },
  { additionalProperties: false },
)

const BATCH_MAX = 100_000

const batchInput = Type.Object(
  { messages: Type.Array(messageInput, { minItems: 1, maxItems: BATCH_MAX }) },
  { additionalProperties: false },
)

const receipt = Type.Object({
  topic: Type.String(),
  accepted: Type.Integer({ description: 'messages stored' }),
  duplicates: Type.Array(Type.Integer(), { description: 'indexes of messages that were there already' }),
  durability: Type.String({ description: 'what this acknowledgment survives' }),
  positions: Type.Array(position, { description: 'the last position in each partition written' }),
})

type Query = Static<typeof query>

/** `POST /v1/topics/{topic}/messages`: one message or many, answered after the bus's receipt. */
export function publishRoute(app: FastifyInstance, services: GatewayServices): void {
  const writers = new WriterPool(services.bus)
  app.post<{ Params: Static<typeof topicParams>; Querystring: Query; Body: unknown }>(
    '/v1/topics/:topic/messages',
    {
      schema: {
        operationId: 'publish',
        summary: 'Publish messages; the answer comes after they are stored as durably as it says',
        tags: ['messages'],
        params: topicParams,
        querystring: query,
        consumes: ['application/json', 'application/x-ndjson', 'text/plain', 'application/octet-stream'],
        body: {
          content: {
            'application/json': { schema: Type.Union([batchInput, messageInput]) },
            'application/x-ndjson': { schema: { description: 'one message object per line', type: 'string' } },
            'text/plain': { schema: { description: 'one raw message', type: 'string' } },
            'application/octet-stream': {
              schema: { description: 'one raw message', type: 'string', format: 'binary' },
            },
          },
        },
        response: { 200: receipt, ...failures },
      },
      // Each content type is checked by its own reader below, which can say which message of a batch is wrong.
      validatorCompiler: () => () => true,
    },
    async (request) => {
      const { topic } = request.params
      checkNotOwnTopic(topic)
      const messages = readMessages(request.headers['content-type'] ?? '', request.body, topic, request.query)
      await services.admission?.admit(costOf(topic, messages))
      const writer = await writers.take(topic, request.query.durability as RequestedDurability | undefined)
      return publish(topic, writer, messages, services.signal)
    },
  )
  app.addHook('onClose', () => writers.close())
}

function costOf(topic: string, messages: readonly Message[]): AdmissionRequest {
  const bytes = messages.reduce((sum, { value }) => sum + (value === null ? 0 : Buffer.byteLength(value)), 0)
  return { principal: ANONYMOUS, agent: undefined, topic, messages: messages.length, bytes }
}

async function publish(topic: string, writer: Writer, messages: readonly Message[], signal: AbortSignal) {
  if (writer.full) await writer.drained({ signal })
  const { accepted, duplicates, durability, positions } = await writer.write(messages)
  return { topic, accepted, duplicates, durability, positions }
}

const checkMessage = new Ajv2020({ strict: false }).compile(messageInput)

function readMessages(contentType: string, body: unknown, topic: string, query: Query): readonly Message[] {
  const { subject = topic, key, id, ttlMs } = query
  if (contentType.startsWith('text/plain') || contentType.startsWith('application/octet-stream')) {
    return [{ subject, key, id, ttlMs, value: body as Uint8Array | string }]
  }
  if (contentType.startsWith('application/x-ndjson')) return readNdjson(body as string, topic)
  const batch = (body as { messages?: unknown } | null)?.messages
  if (batch === undefined) return [checked(body, topic, 'the message')]
  if (!Array.isArray(batch) || batch.length === 0 || batch.length > BATCH_MAX) {
    const text = `Cannot publish: "messages" must be a list of at least one message and at most ${BATCH_MAX}`
    throw new SkeinError('bad-argument', text)
  }
  checkOnlyMessages(body as object)
  return batch.map((message, index) => checked(message, topic, `message ${index}`))
}

/** What is said beside a batch would mean something to somebody, such as another durability. */
function checkOnlyMessages(body: object): void {
  const extra = Object.keys(body).find((field) => field !== 'messages')
  if (extra === undefined) return
  const near = nearest(extra, Object.keys(query.properties))
  const hint = near === undefined ? 'it takes "messages" alone' : `did you mean "${near}" in the query of the URL?`
  throw new SkeinError(
    'bad-argument',
    `Cannot publish: the unknown field "${extra}" stands beside "messages"; ${hint}`,
    {
      details: { field: extra, ...(near !== undefined && { nearest: near }) },
    },
  )
}

function readNdjson(text: string, topic: string): readonly Message[] {
  const messages: Message[] = []
  for (const [index, line] of text.split('\n').entries()) {
    if (line.trim() === '') continue
    messages.push(checked(parseLine(line, index + 1), topic, `line ${index + 1}`))
  }
  if (messages.length === 0) throw new SkeinError('bad-input', 'Cannot publish: the body has no message')
  return messages
}

function parseLine(line: string, number: number): unknown {
  try {
    return JSON.parse(line)
  } catch (error) {
    throw new SkeinError('bad-input', `Cannot read line ${number}: ${(error as Error).message}`, {
      cause: error,
      details: { line: number },
    })
  }
}

function checked(input: unknown, topic: string, where: string): Message {
  if (!checkMessage(input)) {
    const problem = checkMessage.errors?.[0]
    const extra = problem?.params.additionalProperty
    const why =
      extra === undefined ? `${problem?.instancePath} ${problem?.message}` : `it has the unknown field "${extra}"`
    throw new SkeinError('bad-argument', `Cannot publish ${where}: ${why.trim()}`)
  }
  return messageOf(input as MessageInput, topic, where)
}
