import { connect, type NetConnectOpts, type Socket } from 'node:net'
import { WebSocket } from 'ws'
import { type Clock, SkeinError } from '../../../core/index.ts'
import {
  FRAME_HEADER_BYTES,
  FRAME_PAYLOAD_BYTES_MAX,
  type Head,
  type Hello,
  helloToHead,
  type IncomingCall,
  type Precedence,
  Session,
  type SessionLimits,
  type Transport,
  type Welcome,
  type WireMessage,
  websocketTransport,
  welcomeFromHead,
} from '../../../wire/index.ts'

export interface DialOptions {
  /** `ws://` address of the node's endpoint. */
  readonly address: string
  readonly clock: Clock
  readonly limits: SessionLimits
  readonly precedence: Precedence
  readonly hello: Hello
  /** From the first packet to the welcome. */
  readonly timeoutMs: number
  readonly signal: AbortSignal
  readonly onCall: (call: IncomingCall) => Promise<{ readonly head?: Head; readonly body?: readonly Uint8Array[] }>
  readonly onCast: (cast: WireMessage) => void
  /** Only after the welcome. */
  readonly onClosed: (error: SkeinError) => void
}

export interface Dialled {
  readonly session: Session
  readonly welcome: Welcome
}

/**
 * Connects and greets. Rejects with `connection-lost` (retryable) when the node is not there or goes away, with the
 * node's own error when it refuses.
 */
export async function dial(options: DialOptions): Promise<Dialled> {
  let stream: Socket | undefined
  const socket = new WebSocket(options.address, {
    // Its own socket, so that frames can leave together.
    createConnection: ((to: NetConnectOpts) => {
      stream = connect(to)
      return stream
    }) as typeof connect,
    perMessageDeflate: false,
    skipUTF8Validation: true,
    maxPayload: FRAME_HEADER_BYTES + FRAME_PAYLOAD_BYTES_MAX,
    // Masking guards intermediaries against scripts in browsers; this client is none. A zero mask costs nothing.
    generateMask: (mask) => mask.fill(0),
  })
  const { promise, resolve, reject } = Promise.withResolvers<Dialled>()
  const timer = options.clock.setTimer(
    () => reject(unreachable(options.address, `it did not answer within ${options.timeoutMs} ms`)),
    options.timeoutMs,
    { keepAlive: true },
  )
  const onAbort = () => reject(options.signal.reason)
  options.signal.addEventListener('abort', onAbort, { once: true })
  if (options.signal.aborted) onAbort()
  socket.on('error', (error) => reject(unreachable(options.address, error.message || 'no connection', error)))
  socket.on('unexpected-response', (_request, response) => {
    response.resume()
    reject(refused(options.address, response.statusCode ?? 0))
  })
  socket.on('open', () =>
    greet(websocketTransport(socket, { stream, clock: options.clock }), options, { resolve, reject }),
  )
  try {
    return await promise
  } catch (error) {
    socket.terminate()
    throw error
  } finally {
    timer.cancel()
    options.signal.removeEventListener('abort', onAbort)
  }
}

function greet(
  transport: Transport,
  options: DialOptions,
  settle: { readonly resolve: (dialled: Dialled) => void; readonly reject: (error: unknown) => void },
): void {
  const session = new Session({
    transport,
    clock: options.clock,
    limits: options.limits,
    precedence: options.precedence,
    side: 'client',
    handlers: {
      onGreeting: (greeted, head) => {
        const welcome = welcomeFromHead(head)
        greeted.establish(welcome)
        settle.resolve({ session: greeted, welcome })
      },
      onCall: options.onCall,
      onCast: options.onCast,
      onClosed: (error) => {
        settle.reject(error.cause instanceof SkeinError ? error.cause : error)
        options.onClosed(error)
      },
    },
  })
  session.greet('hello', helloToHead(options.hello))
}

function unreachable(address: string, why: string, cause?: unknown): SkeinError {
  return new SkeinError('connection-lost', `Cannot reach the node at ${address}: ${why}; is it running?`, {
    retryable: true,
    cause,
    details: { url: address },
  })
}

function refused(address: string, status: number): SkeinError {
  if (status === 503) {
    return new SkeinError('overloaded', `Cannot connect to ${address}: the node takes no more connections now`, {
      retryable: true,
      details: { url: address, status },
    })
  }
  const code = status === 401 || status === 403 ? 'unauthorised' : 'bad-argument'
  return new SkeinError(code, `Cannot connect to ${address}: it answered with HTTP status ${status}, not as a node`, {
    details: { url: address, status },
  })
}
