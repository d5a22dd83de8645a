import { Readable } from 'node:stream'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import Type, { type Static } from 'typebox'
import { deliveryJson, type Reader } from '../../../bus/index.ts'
import { SkeinError } from '../../../core/index.ts'
import { consumptionQuery, openBroadcast } from '../consumption.ts'
import type { Cursor } from '../cursor.ts'
import { failures, topicParams } from '../schemas.ts'
import type { GatewayServices } from '../services.ts'

const STREAMS_MAX = 5_000
const HEARTBEAT_MS = 15_000
/** What is read at once, and so the most that waits here for a slow client; the rest waits in the log. */
const PIECE_BYTES_MAX = 256 * 1024

const query = Type.Object(
  {
    ...consumptionQuery,
    group: Type.Optional(
      Type.String({ description: 'share the topic with the other members of this group, and remember where it is' }),
    ),
    heartbeatMs: Type.Optional(Type.Integer({ minimum: 100, maximum: 60_000, default: HEARTBEAT_MS })),
  },
  { additionalProperties: false },
)

type StreamRequest = FastifyRequest<{ Params: Static<typeof topicParams>; Querystring: Static<typeof query> }>

/** `GET /v1/topics/{topic}/stream`: server-sent events, as long as the client stays. */
export function streamRoute(app: FastifyInstance, services: GatewayServices): void {
  let streams = 0
  app.get<{ Params: Static<typeof topicParams>; Querystring: Static<typeof query> }>(
    '/v1/topics/:topic/stream',
    {
      schema: {
        operationId: 'stream',
        summary: 'Messages as server-sent events; a client that comes back with Last-Event-ID misses none',
        description:
          'Without a group, every stream gets every message and its event ids are cursors. With a group, messages are ' +
          'shared among its members and acknowledged once the socket has taken them: what was on its way when a ' +
          'connection broke is not sent again. A consumer that must not lose any uses the native protocol.',
        tags: ['messages'],
        params: topicParams,
        querystring: query,
        headers: Type.Object({ 'last-event-id': Type.Optional(Type.String()) }),
        response: {
          200: { description: 'text/event-stream', content: { 'text/event-stream': { schema: {} } } },
          ...failures,
        },
      },
    },
    async (request, reply) => {
      if (streams >= STREAMS_MAX) {
        throw new SkeinError('overloaded', `Cannot open one more stream: ${STREAMS_MAX} are open`, { retryable: true })
      }
      const source = await openSource(request, services)
      streams += 1
      const gone = new AbortController()
      // Of the response: a request is "closed" as soon as it was read to its end.
      reply.raw.once('close', () => gone.abort())
      const ended = AbortSignal.any([gone.signal, services.signal])
      const events = eventStream(source, request.query.heartbeatMs ?? HEARTBEAT_MS, ended, () => {
        streams -= 1
      })
      reply.header('cache-control', 'no-store').header('x-accel-buffering', 'no').type('text/event-stream')
      return reply.send(Readable.from(events, { objectMode: false, highWaterMark: PIECE_BYTES_MAX }))
    },
  )
}

interface Source {
  readonly reader: Reader
  /** Undefined for a member of a group. */
  readonly cursor: Cursor | undefined
}

async function openSource(request: StreamRequest, { bus }: GatewayServices): Promise<Source> {
  const { topic } = request.params
  const { group, subject } = request.query
  const resumed = request.headers['last-event-id']
  if (group === undefined) {
    return openBroadcast(bus, topic, typeof resumed === 'string' ? { ...request.query, from: resumed } : request.query)
  }
  await bus.admin.describeTopic(topic)
  const from = request.query.from ?? 'earliest'
  if (from !== 'earliest' && from !== 'latest') {
    throw new SkeinError(
      'bad-argument',
      'Cannot place a group by time or cursor: it starts at earliest or latest, and goes on where it was',
    )
  }
  const reader = bus.reader(topic, { mode: 'group', group, from, ...(subject && { subjects: subject }) })
  return { reader, cursor: undefined }
}

/**
 * The text of the stream. It is pulled: while the client's socket is full nothing is read. Asking for the next piece
 * means that the socket took the one before, which is then acknowledged.
 */
async function* eventStream(
  source: Source,
  heartbeatMs: number,
  signal: AbortSignal,
  onEnd: () => void,
): AsyncGenerator<Buffer> {
  const { reader, cursor } = source
  try {
    // The client learns at once that it is connected, and where it is should it have to come back.
    yield Buffer.from(cursor === undefined ? ': ready\n\n' : `: ready\nid: ${cursor}\n\n`)
    for (;;) {
      const batch = await reader.read({ maxBytes: PIECE_BYTES_MAX, waitMs: heartbeatMs, signal })
      if (batch === null) {
        yield Buffer.from(': still here\n\n')
        continue
      }
      let text = ''
      for (const delivery of batch.deliveries) {
        if (cursor?.pass(delivery) === false) continue
        text += `${cursor === undefined ? '' : `id: ${cursor}\n`}data: ${deliveryJson(delivery)}\n\n`
      }
      if (text !== '') yield Buffer.from(text)
      if (cursor === undefined) await reader.acknowledge(batch.last, batch.generation)
    }
  } catch (error) {
    if (!signal.aborted) yield Buffer.from(failureEvent(error))
  } finally {
    onEnd()
    await reader.close()
  }
}

/** The status line has been sent long ago: a failure can only be an event of its own. */
function failureEvent(error: unknown): string {
  const { code, message } = error instanceof SkeinError ? error : { code: 'internal', message: 'The stream failed' }
  return `event: error\ndata: ${JSON.stringify({ code, detail: message })}\n\n`
}
