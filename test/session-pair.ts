import { type Clock, SkeinError } from '../src/core/index.ts'
import {
  Precedence,
  SESSION_LIMITS,
  Session,
  type SessionHandlers,
  type SessionLimits,
  type WireMessage,
} from '../src/wire/index.ts'
import { MemoryTransport } from '../testing/memory-transport.ts'

export interface SessionPairOptions {
  readonly clock: Clock
  readonly limits?: Partial<SessionLimits>
  /** How the node answers. */
  readonly onCall?: SessionHandlers['onCall']
}

/** A client and a node that have greeted each other, over a connection that carries only when it is told to. */
export class SessionPair {
  readonly client: Session
  readonly node: Session
  /** What the node cast to the client. */
  readonly casts: WireMessage[] = []
  readonly #transports: readonly [MemoryTransport, MemoryTransport]

  constructor(options: SessionPairOptions) {
    this.#transports = MemoryTransport.pair()
    const [left, right] = this.#transports
    this.node = this.#session('node', right, options)
    this.client = this.#session('client', left, options)
    this.client.greet('hello', {})
    this.carry()
  }

  /** Carries frames both ways until none is left. */
  carry(): void {
    const [left, right] = this.#transports
    while (left.deliver() + right.deliver() > 0);
  }

  #session(side: 'client' | 'node', transport: MemoryTransport, options: SessionPairOptions): Session {
    const { clock } = options
    const limits = { ...SESSION_LIMITS, ...options.limits }
    return new Session({
      transport,
      clock,
      limits,
      side,
      precedence: new Precedence(clock),
      handlers: {
        onGreeting: (session) => {
          session.establish({ windowBytes: limits.windowBytes })
          if (side === 'node') session.greet('welcome', {})
        },
        onCall: options.onCall ?? (() => Promise.reject(new SkeinError('unsupported', 'Nobody answers calls here'))),
        onCast: (cast) => this.casts.push(cast),
        onClosed: () => {},
      },
    })
  }
}
