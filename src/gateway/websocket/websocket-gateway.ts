import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { type WebSocket, WebSocketServer } from 'ws'
import type { Bus, RawAccess } from '../../bus/index.ts'
import type { Quotas } from '../../channel/index.ts'
import { BufferPool, type Clock, type Random, uuidV7 } from '../../core/index.ts'
import {
  FRAME_HEADER_BYTES,
  FRAME_PAYLOAD_BYTES_MAX,
  type Head,
  helloFromHead,
  PartialMessages,
  Precedence,
  SESSION_LIMITS,
  Session,
  type SessionLimits,
  websocketTransport,
  welcomeToHead,
} from '../../wire/index.ts'
import type { Authorise } from './access.ts'
import { ClientConnection } from './client-connection.ts'
import { refuseUpgrade } from './refuse-upgrade.ts'

export interface WebsocketLimits {
  /** Clients: one may have a second connection for telemetry, which does not count. Default 10,000. */
  readonly connectionsMax: number
  /** Readers, and subjects answered, per client. Default 1,000. */
  readonly readersMax: number
  /** Bytes that a client may have written and not been answered for, by all lanes together. Default 8 MiB. */
  readonly pendingBytesMax: number
}

export interface WebsocketGatewayOptions {
  readonly bus: Bus & RawAccess
  readonly clock: Clock
  readonly random: Random
  readonly limits?: Partial<WebsocketLimits>
  /** Default: everything is allowed, which is for loopback only. */
  readonly authorise?: Authorise
  /** What clients may publish and ask. Default: everything. */
  readonly admission?: Quotas | undefined
  /** Who has joined over a connection, for whose quota it is. Default: nobody. */
  readonly agentsOn?: (connectionId: string) => ReadonlySet<string> | undefined
  /** The agents joined over this connection have lost it. */
  readonly onConnectionClosed?: (connectionId: string) => void
}

/** The native protocol's endpoint, for the `upgrade` event of a node's HTTP server. */
export interface WebsocketGateway {
  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void
  /** Clients connected now. */
  readonly connections: number
  /** Cuts one client off, saying why: what it held is let go at once, though its process may be stopped. */
  disconnect(connectionId: string, why: string): void
  /** Takes no more clients, lets what they have written be answered, then closes. Idempotent. */
  drain(): Promise<void>
  /** Promptly. Idempotent. */
  close(): Promise<void>
}

const LIMITS: WebsocketLimits = { connectionsMax: 10_000, readersMax: 1_000, pendingBytesMax: 8 * 1024 * 1024 }
const PATH = '/v1/skein'

/** Memory kept for bodies on their way into the log. */
const POOL_BYTES_MAX = 8 * 1024 * 1024

/** Messages that have begun to come and are not whole, over all clients: several of the largest at once. */
const PARTIAL_BYTES_MAX = 64 * 1024 * 1024

export function websocketGateway(options: WebsocketGatewayOptions): WebsocketGateway {
  return new Gateway(options)
}

interface Entry {
  readonly id: string
  readonly session: Session
  readonly resumeToken: string
  /** Carries telemetry alone, beside the connection that counts. */
  readonly isBulk: boolean
  instance: string | undefined
  client: ClientConnection | undefined
}

class Gateway implements WebsocketGateway {
  readonly #options: WebsocketGatewayOptions
  readonly #limits: WebsocketLimits
  readonly #sessionLimits: SessionLimits
  readonly #server = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    skipUTF8Validation: true,
    clientTracking: false,
    maxPayload: FRAME_HEADER_BYTES + FRAME_PAYLOAD_BYTES_MAX,
  })
  readonly #precedence: Precedence
  readonly #pool = new BufferPool(POOL_BYTES_MAX)
  readonly #partials = new PartialMessages(PARTIAL_BYTES_MAX)
  readonly #entries = new Set<Entry>()
  #bulkEntries = 0
  readonly #byToken = new Map<string, Entry>()
  /** The connections of clients that have a second one for telemetry. */
  readonly #byInstance = new Map<string, Entry>()
  /** Clean-up of connections that have ended. */
  readonly #releasing = new Set<Promise<void>>()
  #isOpen = true

  constructor(options: WebsocketGatewayOptions) {
    this.#options = options
    this.#precedence = new Precedence(options.clock)
    this.#limits = { ...LIMITS, ...options.limits }
    this.#sessionLimits = {
      ...SESSION_LIMITS,
      // One message over its lane's share is let through where nothing else is under way in the lane.
      pendingBytesMax: this.#limits.pendingBytesMax + 2 * SESSION_LIMITS.messageBytesMax,
    }
  }

  get connections(): number {
    return this.#count(false)
  }

  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const refusal = this.#refusal(request)
    if (refusal !== undefined) refuseUpgrade(socket, refusal)
    else {
      const isBulk = laneIsBulk(request)
      this.#server.handleUpgrade(request, socket, head, (accepted) => this.#accept(accepted, socket, isBulk))
    }
  }

  disconnect(connectionId: string, why: string): void {
    const entries = [...this.#entries]
    const instance = entries.find(({ id }) => id === connectionId)?.instance
    for (const entry of entries) {
      const isOfClient = instance !== undefined && entry.instance === instance
      if (entry.id === connectionId || isOfClient) entry.session.close({ code: 'connection-lost', message: why })
    }
  }

  async drain(): Promise<void> {
    this.#isOpen = false
    await Promise.all([...this.#entries].map((entry) => entry.client?.written()))
    await this.close()
  }

  async close(): Promise<void> {
    this.#isOpen = false
    for (const { session } of [...this.#entries]) {
      session.close({ code: 'connection-lost', message: 'the node is shutting down; connect again later' })
    }
    this.#server.close()
    await Promise.all(this.#releasing)
  }

  #refusal(request: IncomingMessage): { readonly status: number; readonly text: string } | undefined {
    const { origin, host } = request.headers
    const path = request.url?.split('?', 1)[0]
    if (path !== PATH) return { status: 404, text: `The native protocol is spoken at ${PATH}` }
    // A page of another site could reach a node on loopback through its visitor's browser (RFC 6455 §10.2).
    if (origin !== undefined && !isSameSite(origin, host)) return { status: 403, text: 'Not from another site' }
    if (!this.#isOpen) return { status: 503, text: 'The node is shutting down' }
    if (this.#count(laneIsBulk(request)) < this.#limits.connectionsMax) return undefined
    return { status: 503, text: `The node has ${this.#limits.connectionsMax} connections already` }
  }

  #count(isBulk: boolean): number {
    return isBulk ? this.#bulkEntries : this.#entries.size - this.#bulkEntries
  }

  #accept(socket: WebSocket, stream: Duplex, isBulk: boolean): void {
    const { clock, random } = this.#options
    const id = uuidV7(clock, random)
    const session: Session = new Session({
      transport: websocketTransport(socket, { stream, clock }),
      clock,
      limits: this.#sessionLimits,
      side: 'node',
      pool: this.#pool,
      partials: this.#partials,
      precedence: this.#precedence,
      handlers: {
        onGreeting: (_session, head) => this.#greet(entry, head),
        onCall: (call) => entry.client!.onCall(call),
        onCast: (cast) => entry.client!.onCast(cast),
        onClosed: () => this.#onClosed(entry),
      },
    })
    const resumeToken = Buffer.from(random.bytes(16)).toString('hex')
    const entry: Entry = { id, session, resumeToken, isBulk, instance: undefined, client: undefined }
    this.#entries.add(entry)
    if (isBulk) this.#bulkEntries += 1
    this.#byToken.set(resumeToken, entry)
  }

  #greet(entry: Entry, head: Head): void {
    const hello = helloFromHead(head)
    const { bus, clock, authorise, admission } = this.#options
    const { session, id, resumeToken } = entry
    const resumed = this.#takeOver(hello.resumeToken)
    entry.instance = hello.instance
    if (!entry.isBulk && hello.instance !== undefined) this.#byInstance.set(hello.instance, entry)
    session.establish({ windowBytes: hello.windowBytes })
    entry.client = new ClientConnection({
      connectionId: id,
      principal: undefined,
      bus,
      clock,
      session,
      precedence: this.#precedence,
      pool: this.#pool,
      authorise,
      admission,
      agents: () => this.#options.agentsOn?.(this.#joinedOver(entry).id),
      readersMax: this.#limits.readersMax,
    })
    session.greet(
      'welcome',
      welcomeToHead({
        connectionId: id,
        resumeToken,
        resumed,
        windowBytes: this.#sessionLimits.windowBytes,
        pendingBytesMax: this.#limits.pendingBytesMax,
        messageBytesMax: this.#sessionLimits.messageBytesMax,
      }),
    )
  }

  /** A client that comes back before its old connection was seen to end: what that one held is let go now. */
  #takeOver(token: string | undefined): boolean {
    const old = token === undefined ? undefined : this.#byToken.get(token)
    old?.session.close({ code: 'connection-lost', message: 'the client has connected anew' })
    return old !== undefined
  }

  /** Agents join over a client's first connection; its telemetry may come over the other. */
  #joinedOver(entry: Entry): Entry {
    const { isBulk, instance } = entry
    return (isBulk && instance !== undefined && this.#byInstance.get(instance)) || entry
  }

  #onClosed(entry: Entry): void {
    const { instance } = entry
    if (instance !== undefined && this.#byInstance.get(instance) === entry) this.#byInstance.delete(instance)
    this.#entries.delete(entry)
    if (entry.isBulk) this.#bulkEntries -= 1
    this.#byToken.delete(entry.resumeToken)
    const releasing = this.#release(entry).finally(() => this.#releasing.delete(releasing))
    this.#releasing.add(releasing)
  }

  async #release(entry: Entry): Promise<void> {
    try {
      await entry.client?.release()
    } finally {
      if (entry.client !== undefined) this.#options.onConnectionClosed?.(entry.id)
    }
  }
}

function laneIsBulk(request: IncomingMessage): boolean {
  return request.url?.split('?', 2)[1] === 'lane=bulk'
}

function isSameSite(origin: string, host: string | undefined): boolean {
  return URL.canParse(origin) && new URL(origin).host === host
}
