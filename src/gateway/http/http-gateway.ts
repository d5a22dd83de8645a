import type { Server } from 'node:http'
import fastifySwagger from '@fastify/swagger'
import fastify, { type FastifyInstance } from 'fastify'
import { type Clock, SkeinError } from '../../core/index.ts'
import { checkLocalRequest } from './local-only.ts'
import { type Problem, problemOf } from './problem.ts'
import { agentRoutes } from './routes/agents.ts'
import { commandRoutes } from './routes/commands.ts'
import { deadLetterRoutes } from './routes/dead-letters.ts'
import { lagRoute } from './routes/lag.ts'
import { logEntryRoutes } from './routes/log-entries.ts'
import { logRoutes } from './routes/logs.ts'
import { pollRoute } from './routes/poll.ts'
import { probeRoutes } from './routes/probes.ts'
import { publishRoute } from './routes/publish.ts'
import { streamRoute } from './routes/stream.ts'
import { topicRoutes } from './routes/topics.ts'
import type { GatewayServices } from './services.ts'
import { checkRequestsStrictly } from './validation.ts'

export interface HttpGatewayOptions extends Omit<GatewayServices, 'signal' | 'pendingBytesMax'> {
  /** For the OpenAPI document. */
  readonly version: string
  /** The largest request body. Default 8 MiB. */
  readonly bodyBytesMax?: number
  /** Bytes of commands that one connection may have waiting for their outcomes. Default 8 MiB. */
  readonly pendingBytesMax?: number
  /** Told of failures that are ours, not the caller's. */
  readonly onError?: (error: unknown) => void
}

export interface HttpGateway {
  /** For whoever shares the port: the WebSocket gateway takes its upgrades. */
  readonly server: Server
  /** Resolves to the port. Rejects with `port-in-use`. */
  listen(address: { readonly host: string; readonly port: number }): Promise<number>
  /** Accepts no more, ends streams, and answers what is being worked on. Idempotent. */
  drain(): Promise<void>
  /** Promptly: open connections are cut. Idempotent. */
  close(): Promise<void>
}

const IDLE_CHECK_MS = 20
const REQUEST_ARRIVES_WITHIN_MS = 60_000

/** A node's HTTP interface: everything that can be done with `curl`, and `/openapi.json` that says how. */
export async function httpGateway(options: HttpGatewayOptions): Promise<HttpGateway> {
  const { bodyBytesMax = 8 * 1024 * 1024, pendingBytesMax = 8 * 1024 * 1024 } = options
  const stop = new AbortController()
  const app = fastify({
    bodyLimit: bodyBytesMax,
    forceCloseConnections: 'idle',
    return503OnClosing: true,
    // From the first byte of a request to its last; how long the answer takes is another matter.
    requestTimeout: REQUEST_ARRIVES_WITHIN_MS,
    routerOptions: { maxParamLength: 1024 },
  })
  await prepare(app, options)
  const services: GatewayServices = { ...options, pendingBytesMax, signal: stop.signal }
  for (const addRoutes of ROUTES) addRoutes(app, services)
  await app.ready()

  let ended: Promise<void> | undefined
  const drain = () => {
    stop.abort(new SkeinError('closed', 'The node is shutting down', { retryable: true }))
    ended ??= closeWhenAnswered(app, options.clock)
    return ended
  }
  return {
    server: app.server,
    listen: (address) => listen(app, address),
    drain,
    close() {
      const closed = drain()
      app.server.closeAllConnections()
      return closed
    },
  }
}

/** A connection kept alive would hold up the close until it times out: it is closed as soon as it is idle. */
async function closeWhenAnswered(app: FastifyInstance, clock: Clock): Promise<void> {
  let closed = false
  const closing = app.close().finally(() => {
    closed = true
  })
  while (!closed) {
    app.server.closeIdleConnections()
    await Promise.race([closing, clock.sleep(IDLE_CHECK_MS)])
  }
  await closing
}

const ROUTES = [
  probeRoutes,
  topicRoutes,
  publishRoute,
  pollRoute,
  streamRoute,
  deadLetterRoutes,
  lagRoute,
  agentRoutes,
  commandRoutes,
  logRoutes,
  logEntryRoutes,
]

async function prepare(app: FastifyInstance, { version, onError }: HttpGatewayOptions): Promise<void> {
  checkRequestsStrictly(app)
  app.addHook('onRequest', async (request) => checkLocalRequest(request.raw))
  app.setErrorHandler((error, request, reply) => {
    const problem = problemOf(error, request.routeOptions.schema?.consumes)
    if (problem.status >= 500) onError?.(error)
    if (problem.status === 503 || (problem.status === 429 && problem.retryable)) {
      reply.header('retry-after', retryAfterSeconds(problem))
    }
    return reply.status(problem.status).type('application/problem+json').send(JSON.stringify(problem))
  })
  app.setNotFoundHandler((request) => {
    throw new SkeinError('not-found', `There is nothing at ${request.method} ${request.url}: see /openapi.json`)
  })
  app.addContentTypeParser('application/x-ndjson', { parseAs: 'string' }, (_, body, done) => done(null, body))
  app.addContentTypeParser('application/octet-stream', { parseAs: 'buffer' }, (_, body, done) => done(null, body))
  await app.register(fastifySwagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Skein',
        description: 'A node of the coordination fabric. Errors are application/problem+json with a stable `code`.',
        version,
      },
      tags: ['messages', 'topics', 'commands', 'swarm', 'logs', 'health'].map((name) => ({ name })),
    },
  })
  app.get('/openapi.json', { schema: { hide: true } }, async () => app.swagger())
}

function retryAfterSeconds({ facts }: Problem): number {
  return Math.max(1, Math.ceil(Number(facts?.retryAfterMs ?? 0) / 1_000))
}

async function listen(app: FastifyInstance, { host, port }: { host: string; port: number }): Promise<number> {
  try {
    await app.listen({ host, port })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error
    throw new SkeinError(
      'port-in-use',
      `Cannot listen on ${host}:${port}: another process does; stop it, or choose another port (0 lets the system choose)`,
      { cause: error, details: { host, port } },
    )
  }
  const address = app.server.address()
  return typeof address === 'object' && address ? address.port : port
}
