import { type Clock, ClosedError, type Random, SkeinError } from '../../../core/index.ts'
import type {
  CallOptions,
  Head,
  IncomingCall,
  Precedence,
  Session,
  SessionLimits,
  Welcome,
  WireMessage,
} from '../../../wire/index.ts'
import { abortable } from './abortable.ts'
import { type Dialled, dial } from './dial.ts'

export type LinkState = 'connecting' | 'connected' | 'reconnecting' | 'closed'

export interface LinkStatus {
  readonly state: LinkState
  /** Attempts that failed since the last connection. */
  readonly attempts: number
  /** Why it is not connected. */
  readonly error: SkeinError | undefined
  /** The node's name for the present connection. */
  readonly connectionId: string | undefined
}

/** What lives longer than one connection: it is told of every new one, in the order of registration, and of its end. */
export interface Resumable {
  onConnected(session: Session, welcome: Welcome): void
  /** The connection broke; another one will come. */
  onBroken(error: SkeinError): void
  /** No other one will come. */
  onEnded(error: SkeinError): void
}

export interface LinkOptions {
  readonly address: string
  readonly clock: Clock
  readonly random: Random
  readonly limits: SessionLimits
  readonly precedence: Precedence
  readonly client: string
  /** The same for every link of one client, and nobody else's. */
  readonly instance: string
  readonly connectTimeoutMs: number
  readonly onStatus: ((status: LinkStatus) => void) | undefined
  readonly onCall: (call: IncomingCall) => Promise<{ readonly head?: Head; readonly body?: readonly Uint8Array[] }>
  readonly onCast: (cast: WireMessage) => void
}

const BACKOFF_FIRST_MS = 50
const BACKOFF_MS_MAX = 5_000

/** One connection to a node, made again whenever it breaks. */
export class Link {
  readonly #options: LinkOptions
  readonly #resumables = new Set<Resumable>()
  readonly #stop = new AbortController()
  #dialled: Dialled | undefined
  #isStarted = false
  #resumeToken: string | undefined
  #status: LinkStatus = { state: 'connecting', attempts: 0, error: undefined, connectionId: undefined }
  #waiting: PromiseWithResolvers<Session> | undefined

  constructor(options: LinkOptions) {
    this.#options = options
  }

  get status(): LinkStatus {
    return this.#status
  }

  get session(): Session | undefined {
    return this.#dialled?.session
  }

  get isClosed(): boolean {
    return this.#status.state === 'closed'
  }

  /** The first connection: tried for `connectTimeoutMs`, then `connection-lost` naming the address. */
  async open(signal: AbortSignal | undefined): Promise<void> {
    const { clock, connectTimeoutMs } = this.#options
    this.#isStarted = true
    const giveUpAtMs = clock.monotonicMs() + connectTimeoutMs
    const onAbort = () => this.close(signal?.reason)
    signal?.addEventListener('abort', onAbort, { once: true })
    try {
      signal?.throwIfAborted()
      await this.#connect(giveUpAtMs)
    } catch (error) {
      const reason = signal?.aborted ? signal.reason : error
      this.close(reason)
      throw reason
    } finally {
      signal?.removeEventListener('abort', onAbort)
    }
  }

  /** Connects in the background, for as long as it takes. Idempotent. */
  start(): void {
    if (this.#isStarted || this.isClosed) return
    this.#isStarted = true
    this.#connect(Number.POSITIVE_INFINITY).catch((reason) => this.close(reason))
  }

  /** Registers for this and every later connection. */
  add(resumable: Resumable): void {
    this.#resumables.add(resumable)
    if (this.isClosed) resumable.onEnded(this.closedError())
    else if (this.#dialled !== undefined) resumable.onConnected(this.#dialled.session, this.#dialled.welcome)
  }

  remove(resumable: Resumable): void {
    this.#resumables.delete(resumable)
  }

  /** A call that may be made twice: it is made again when the connection breaks before its answer. */
  async callAgain(
    operation: number,
    options: CallOptions,
  ): Promise<{ readonly head: Head; readonly body: Uint8Array }> {
    for (;;) {
      const session = await this.connected(options.signal)
      try {
        return await session.call(operation, options)
      } catch (error) {
        if (session.isOpen || !isLost(error)) throw error
      }
    }
  }

  /** The session, once there is one. Rejects with `signal.reason`, with `closed`. */
  async connected(signal?: AbortSignal): Promise<Session> {
    signal?.throwIfAborted()
    if (this.#dialled !== undefined) return this.#dialled.session
    if (this.isClosed) throw this.closedError()
    this.#waiting ??= Promise.withResolvers<Session>()
    this.#waiting.promise.catch(() => {})
    return abortable(this.#waiting.promise, signal)
  }

  closedError(): SkeinError {
    return this.#status.error ?? new ClosedError('the connection to the node')
  }

  /** Ends it for good. Idempotent. */
  close(reason?: unknown): void {
    if (this.isClosed) return
    const error = reason instanceof SkeinError ? reason : undefined
    this.#setStatus({ state: 'closed', attempts: 0, error, connectionId: undefined })
    this.#stop.abort(this.closedError())
    const dialled = this.#dialled
    this.#dialled = undefined
    dialled?.session.close({ code: 'closed', message: 'the client is done' })
    for (const resumable of [...this.#resumables]) resumable.onEnded(this.closedError())
    this.#waiting?.reject(this.closedError())
    this.#waiting = undefined
  }

  async #connect(giveUpAtMs: number): Promise<void> {
    const { clock, random } = this.#options
    for (let attempts = 0; ; attempts += 1) {
      try {
        this.#onDialled(await this.#dial())
        return
      } catch (error) {
        const failure = error as SkeinError
        if (this.isClosed) throw this.closedError()
        if (!failure.retryable) throw failure
        const delayMs = random.float() * Math.min(BACKOFF_MS_MAX, BACKOFF_FIRST_MS * 2 ** attempts)
        if (clock.monotonicMs() + delayMs >= giveUpAtMs) throw failure
        this.#setStatus({ ...this.#status, attempts: attempts + 1, error: failure })
        await this.#pause(delayMs)
      }
    }
  }

  /** Keeps the process alive: something waits for the connection. */
  #pause(delayMs: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    const timer = this.#options.clock.setTimer(resolve, delayMs, { keepAlive: true })
    const onAbort = () => {
      timer.cancel()
      resolve()
    }
    this.#stop.signal.addEventListener('abort', onAbort, { once: true })
    return promise.finally(() => this.#stop.signal.removeEventListener('abort', onAbort))
  }

  #dial(): Promise<Dialled> {
    const { address, clock, limits, precedence, client, instance, connectTimeoutMs, onCall, onCast } = this.#options
    return dial({
      address,
      clock,
      limits,
      precedence,
      hello: { client, instance, resumeToken: this.#resumeToken, windowBytes: limits.windowBytes },
      timeoutMs: Math.max(1_000, connectTimeoutMs),
      signal: this.#stop.signal,
      onCall,
      onCast,
      onClosed: (error) => this.#onLost(error),
    })
  }

  #onDialled(dialled: Dialled): void {
    if (!dialled.session.isOpen) throw new SkeinError('connection-lost', 'The node hung up', { retryable: true })
    this.#dialled = dialled
    this.#resumeToken = dialled.welcome.resumeToken
    const { connectionId } = dialled.welcome
    this.#setStatus({ state: 'connected', attempts: 0, error: undefined, connectionId })
    for (const resumable of [...this.#resumables]) resumable.onConnected(dialled.session, dialled.welcome)
    this.#waiting?.resolve(dialled.session)
    this.#waiting = undefined
  }

  #onLost(error: SkeinError): void {
    if (this.#dialled === undefined || this.isClosed) return
    this.#dialled = undefined
    this.#setStatus({ state: 'reconnecting', attempts: 0, error, connectionId: undefined })
    for (const resumable of [...this.#resumables]) resumable.onBroken(error)
    this.#connect(Number.POSITIVE_INFINITY).catch((reason) => this.close(reason))
  }

  #setStatus(status: LinkStatus): void {
    this.#status = status
    this.#options.onStatus?.(status)
  }
}

export function isLost(error: unknown): boolean {
  return error instanceof SkeinError && error.code === 'connection-lost'
}
