import type { FastifyInstance } from 'fastify'
import Type, { type Static } from 'typebox'
import type { LogEntry } from '../../../consensus/index.ts'
import { atLeader, hostedLog, logParams } from '../hosted-logs.ts'
import { messageOf } from '../message-input.ts'
import { failures } from '../schemas.ts'
import type { GatewayServices, HostedLog, LogPage } from '../services.ts'

const command = Type.Object(
  {
    value: Type.Optional(Type.Unsafe<unknown>({ description: 'any JSON, stored as compact JSON' })),
    text: Type.Optional(Type.String({ description: 'text, stored as UTF-8' })),
    base64: Type.Optional(Type.String({ description: 'bytes' })),
  },
  { additionalProperties: false },
)

const appendInput = Type.Object(
  { commands: Type.Array(command, { minItems: 1, maxItems: 100_000 }) },
  { additionalProperties: false },
)

const appended = Type.Object({
  first: Type.Integer(),
  last: Type.Integer(),
  indexes: Type.Optional(Type.Array(Type.Integer())),
  term: Type.Integer(),
  durability: Type.String({ description: 'what this acknowledgment survives' }),
})

const query = Type.Object(
  {
    from: Type.Optional(Type.Integer({ minimum: 0, default: 0, description: 'an index, or the `next` of an answer' })),
    max: Type.Optional(Type.Integer({ minimum: 1, maximum: 10_000, default: 100 })),
    waitMs: Type.Optional(
      Type.Integer({ minimum: 0, maximum: 60_000, default: 0, description: 'how long to wait for the first one' }),
    ),
    local: Type.Optional(
      Type.Boolean({ description: 'what this member has, without asking the others whether there is more' }),
    ),
  },
  { additionalProperties: false },
)

const page = Type.Object({
  entries: Type.Array(
    Type.Object({
      index: Type.Integer(),
      term: Type.Integer(),
      timeMs: Type.Number(),
      text: Type.Optional(Type.String({ description: 'where it is UTF-8' })),
      base64: Type.Optional(Type.String()),
    }),
  ),
  next: Type.Integer({ description: 'give it as `from` to go on' }),
})

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** What stands in a replicated log: append to it, read it. */
export function logEntryRoutes(app: FastifyInstance, services: GatewayServices): void {
  app.post<{ Params: Static<typeof logParams>; Body: Static<typeof appendInput> }>(
    '/v1/logs/:log/entries',
    {
      schema: {
        operationId: 'append',
        summary: 'Append commands, all or none; 503 not-leader names whom to ask, 504 outcome-unknown is no failure',
        ...{ tags: ['logs'], params: logParams, body: appendInput, response: { 200: appended, ...failures } },
      },
    },
    async (request) => {
      const hosted = hostedLog(services, request.params.log)
      const commands = request.body.commands.map((one, at) => {
        const { value } = messageOf(one, request.params.log, `command ${at}`)
        return typeof value === 'string' ? Buffer.from(value) : value!
      })
      return atLeader(hosted, () => hosted.log.append(commands, { signal: services.signal }))
    },
  )
  app.get<{ Params: Static<typeof logParams>; Querystring: Static<typeof query> }>(
    '/v1/logs/:log/entries',
    {
      schema: {
        operationId: 'readLog',
        summary: 'Commands from an index on, with all that was acknowledged before the request',
        ...{ tags: ['logs'], params: logParams, querystring: query, response: { 200: page, ...failures } },
      },
    },
    async (request) => {
      const hosted = hostedLog(services, request.params.log)
      const { entries, next } = await read(hosted, request.query, services)
      return { entries: entries.map(told), next }
    },
  )
}

async function read(
  hosted: HostedLog,
  { from = 0, max = 100, waitMs = 0, local = false }: Static<typeof query>,
  { clock, signal }: GatewayServices,
): Promise<LogPage> {
  const reached = local ? hosted.status.committedIndex : await hosted.log.barrier({ signal })
  if (waitMs === 0)
    return from > reached ? { entries: [], next: from } : hosted.page(from, { max, through: reached, signal })
  const over = new AbortController()
  const timer = clock.setTimer(() => over.abort(), waitMs)
  try {
    return await hosted.page(from, { max, through: Infinity, signal: AbortSignal.any([signal, over.signal]) })
  } catch (error) {
    if (!over.signal.aborted) throw error
    return { entries: [], next: from }
  } finally {
    timer.cancel()
  }
}

function told({ index, term, timeMs, data }: LogEntry) {
  try {
    return { index, term, timeMs, text: utf8.decode(data) }
  } catch {
    return { index, term, timeMs, base64: Buffer.from(data).toString('base64') }
  }
}
