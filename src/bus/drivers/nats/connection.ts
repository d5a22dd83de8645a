import type { Msg, NatsConnection, Subscription } from '@nats-io/transport-node'
import { type Clock, ClosedError, SkeinError } from '../../../core/index.ts'
import { dial } from './dial.ts'
import { loadNatsLibrary } from './load-library.ts'
import type { EncodedHeaders } from './message-codec.ts'
import { type ApiError, apiError, natsError, noJetStream } from './nats-error.ts'
import type { ConnectionState, NatsBusOptions } from './options.ts'
import { featuresOf, type ServerFeatures } from './server-version.ts'

const REQUEST_TIMEOUT_MS = 5_000
const API = '$JS.API.'

export interface Listener {
  /** Whatever was on its way may be lost. */
  onDisconnect?(): void
  onReconnect?(): void
  onClosed?(error: SkeinError): void
}

/** One connection to the servers: requests to JetStream, publishing, subscriptions, and news of its state. */
export class Connection {
  readonly clock: Clock
  readonly requestTimeoutMs: number
  readonly #nc: NatsConnection
  readonly #options: NatsBusOptions
  readonly #listeners = new Set<Listener>()
  #isConnected = true
  #closing: Promise<void> | undefined
  /** The server's clock minus ours. */
  #clockOffsetMs = 0

  private constructor(nc: NatsConnection, options: NatsBusOptions) {
    this.#nc = nc
    this.#options = options
    this.clock = options.clock
    this.requestTimeoutMs = options.requestTimeoutMs ?? REQUEST_TIMEOUT_MS
    this.#tell({ state: 'connected', server: nc.getServer(), version: this.version })
    void this.#watch()
    void nc.closed().then((error) => this.#onClosed(error ?? undefined))
  }

  /** Tries for `connectTimeoutMs`. Rejects with `connection-lost`, `unauthorised`, or `unsupported` without the library. */
  static async open(options: NatsBusOptions): Promise<Connection> {
    const library = await loadNatsLibrary()
    return new Connection(await dial(library, options), options)
  }

  get version(): string {
    return this.#nc.info?.version ?? '0'
  }

  get features(): ServerFeatures {
    return featuresOf(this.version)
  }

  /** Of one message with its headers, as the server says. */
  get payloadBytesMax(): number {
    return this.#nc.info?.max_payload ?? 1024 * 1024
  }

  get isConnected(): boolean {
    return this.#isConnected && !this.isClosed
  }

  get isClosed(): boolean {
    return this.#closing !== undefined || this.#nc.isClosed()
  }

  /** The server's time, as far as it is known. */
  get serverNowMs(): number {
    return this.clock.nowMs() + this.#clockOffsetMs
  }

  listen(listener: Listener): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  #tell(state: ConnectionState): void {
    this.#options.onState?.(state)
  }

  async #watch(): Promise<void> {
    let last: Error | undefined
    for await (const status of this.#nc.status()) {
      if (status.type === 'error') last = status.error
      if (status.type === 'disconnect' && this.#isConnected) this.#onDisconnect(last)
      if (status.type === 'reconnect') this.#onReconnect()
    }
  }

  #onDisconnect(error: Error | undefined): void {
    this.#isConnected = false
    for (const listener of [...this.#listeners]) listener.onDisconnect?.()
    this.#tell({ state: 'reconnecting', error })
  }

  #onReconnect(): void {
    this.#isConnected = true
    this.#tell({ state: 'connected', server: this.#nc.getServer(), version: this.version })
    for (const listener of [...this.#listeners]) listener.onReconnect?.()
  }

  #onClosed(cause: Error | undefined): void {
    this.#isConnected = false
    const error = cause === undefined ? new ClosedError('the bus') : natsError('keep the connection', cause)
    for (const listener of [...this.#listeners]) listener.onClosed?.(error)
    this.#tell({ state: 'closed', error: cause })
  }

  /** Resolves when there is a connection. Rejects with `closed`, or the reason of the signal. */
  async connected(signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted()
    if (this.isClosed) throw new ClosedError('the bus')
    if (this.#isConnected) return
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const forget = this.listen({ onReconnect: resolve, onClosed: reject })
    const onAbort = () => reject(signal?.reason)
    signal?.addEventListener('abort', onAbort, { once: true })
    try {
      await promise
    } finally {
      forget()
      signal?.removeEventListener('abort', onAbort)
    }
  }

  publish(subject: string, payload: Uint8Array, options: { headers?: EncodedHeaders; reply?: string } = {}): void {
    const { headers, reply } = options
    if (this.isClosed) throw new ClosedError('the bus')
    try {
      this.#nc.publish(subject, payload, { ...(reply && { reply }), ...(headers && { headers: headers.asHeaders() }) })
    } catch (cause) {
      throw natsError(`publish to "${subject}"`, cause)
    }
  }

  subscribe(
    subject: string,
    callback: (message: Msg) => void,
    options: { readonly queue?: string } = {},
  ): Subscription {
    if (this.isClosed) throw new ClosedError('the bus')
    return this.#nc.subscribe(subject, {
      ...options,
      callback: (error, message) => {
        if (error === null) callback(message)
      },
    })
  }

  /** Resolves when the server has everything that was published before. */
  flush(): Promise<void> {
    return this.#nc.flush().catch((cause: unknown) => Promise.reject(natsError('flush', cause)))
  }

  /** One answer to one message; rejects with `no-responder`, `timeout`, `connection-lost` or `closed`. */
  async request(
    subject: string,
    payload: Uint8Array | string,
    options: { readonly timeoutMs?: number; readonly headers?: EncodedHeaders } = {},
  ): Promise<Msg> {
    const { timeoutMs = this.requestTimeoutMs, headers } = options
    if (this.isClosed) throw new ClosedError('the bus')
    const lost = Promise.withResolvers<never>()
    const forget = this.listen({
      onDisconnect: () => lost.reject(connectionLost(subject)),
      onClosed: (error) => lost.reject(error),
    })
    try {
      const options = { timeout: timeoutMs, noMux: false, ...(headers && { headers: headers.asHeaders() }) }
      return await Promise.race([this.#nc.request(subject, payload, options), lost.promise])
    } catch (cause) {
      if (isNoResponders(cause)) throw noResponder(subject, cause)
      throw natsError(`ask "${subject}"`, cause)
    } finally {
      forget()
      lost.promise.catch(() => {})
    }
  }

  /** A call of JetStream's API. Rejects with what the API says, or with why its outcome is not known. */
  async api<T>(call: string, body: unknown = undefined): Promise<T> {
    const answer = await this.request(API + call, body === undefined ? '' : JSON.stringify(body)).catch(noApi)
    const result = answer.json<T & { error?: ApiError; ts?: string }>()
    if (result.error !== undefined) throw apiError(call, result.error)
    if (result.ts !== undefined) this.#clockOffsetMs = Date.parse(result.ts) - this.clock.nowMs()
    return result
  }

  /** Finishes what was published, then closes. */
  async drain(): Promise<void> {
    if (this.isConnected) await this.flush().catch(() => {})
    await this.close()
  }

  close(): Promise<void> {
    this.#closing ??= this.#nc.close()
    return this.#closing
  }

  /** For subscriptions whose subject nobody else may guess. */
  newInbox(): string {
    return `_INBOX.${Buffer.from(this.#options.random.bytes(12)).toString('hex')}`
  }

  newId(): string {
    return Buffer.from(this.#options.random.bytes(9)).toString('base64url')
  }
}

function noApi(error: unknown): never {
  if (error instanceof SkeinError && error.code === 'no-responder') throw noJetStream()
  throw error
}

/** The library wraps it, or not, by how the request was sent. */
function isNoResponders(cause: unknown): boolean {
  return cause instanceof Error && (cause.name === 'NoResponders' || isNoResponders(cause.cause))
}

function noResponder(subject: string, cause: unknown): SkeinError {
  return new SkeinError('no-responder', `Cannot ask "${subject}": nobody answers it`, {
    cause,
    retryable: true,
    details: { subject },
  })
}

function connectionLost(subject: string): SkeinError {
  return new SkeinError('connection-lost', `Asked "${subject}" and lost the connection before the answer`, {
    retryable: true,
    details: { subject },
  })
}
