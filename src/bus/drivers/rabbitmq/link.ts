import type { ChannelModel } from 'amqplib'
import { type Clock, ClosedError, type Random, type SkeinError } from '../../../core/index.ts'
import { dialError } from './amqp-error.ts'
import { Connection } from './connection.ts'
import type { ConnectionLane, ConnectionStatus } from './options.ts'

const BACKOFF_FIRST_MS = 50
const BACKOFF_MS_MAX = 5_000

export interface LinkOptions {
  readonly lane: ConnectionLane
  /** Without credentials it is what errors name. */
  readonly url: string
  readonly dial: () => Promise<ChannelModel>
  readonly clock: Clock
  readonly random: Random
  readonly onStatus: ((status: ConnectionStatus) => void) | undefined
}

/** Keeps one connection to the broker: made when it is first needed, made again when it is lost, until closed. */
export class Link {
  readonly #options: LinkOptions
  readonly #stop = new AbortController()
  readonly #listeners = new Set<() => void>()
  #current: Connection | undefined
  #dialling: Promise<Connection> | undefined

  constructor(options: LinkOptions) {
    this.#options = options
  }

  /** The connection there is now. */
  get current(): Connection | undefined {
    return this.#current
  }

  /** Resolves with the connection as soon as there is one. Rejects with `signal.reason`, or `closed`. */
  connection(signal?: AbortSignal): Promise<Connection> {
    if (this.#stop.signal.aborted) return Promise.reject(this.#stop.signal.reason)
    if (this.#current !== undefined) return Promise.resolve(this.#current)
    this.#dialling ??= this.#dialForEver().finally(() => {
      this.#dialling = undefined
    })
    return signal === undefined ? this.#dialling : abortable(this.#dialling, signal)
  }

  /** The first connection: network failures are tried again for so long, others reject at once. */
  async open(withinMs: number, signal?: AbortSignal): Promise<Connection> {
    const { clock } = this.#options
    const deadlineMs = clock.monotonicMs() + withinMs
    for (let failures = 1; ; failures += 1) {
      signal?.throwIfAborted()
      try {
        return await this.#dial()
      } catch (error) {
        if (!(error as SkeinError).retryable || clock.monotonicMs() >= deadlineMs) throw error
      }
      await this.pause(failures, signal)
    }
  }

  /** Called whenever a connection is lost, blocked, unblocked or made. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  async #dialForEver(): Promise<Connection> {
    for (let failures = 1; ; failures += 1) {
      this.#stop.signal.throwIfAborted()
      try {
        return await this.#dial()
      } catch (error) {
        this.#tell('lost', (error as Error).message)
      }
      await this.pause(failures)
    }
  }

  /** Full jitter: clients that lost one broker do not all come back at once. */
  async pause(failures: number, signal?: AbortSignal): Promise<void> {
    const { clock, random } = this.#options
    const limitMs = Math.min(BACKOFF_MS_MAX, BACKOFF_FIRST_MS * 2 ** Math.min(failures, 20))
    const stop = signal === undefined ? this.#stop.signal : AbortSignal.any([signal, this.#stop.signal])
    await clock.sleep(random.float() * limitMs, { signal: stop })
  }

  /** Tells whether so much time has passed since now. */
  deadline(withinMs: number): () => boolean {
    const { clock } = this.#options
    const untilMs = clock.monotonicMs() + withinMs
    return () => clock.monotonicMs() >= untilMs
  }

  async #dial(): Promise<Connection> {
    const { dial, url, clock } = this.#options
    const connection = new Connection(
      await dial().catch((cause: unknown) => {
        throw dialError(cause, url)
      }),
      clock,
    )
    if (this.#stop.signal.aborted) {
      await connection.close()
      throw this.#stop.signal.reason
    }
    this.#watch(connection)
    return connection
  }

  #watch(connection: Connection): void {
    this.#current = connection
    const { model } = connection
    model.on('blocked', (reason: string) => {
      connection.blockedBecause = reason
      this.#tell('blocked', reason)
    })
    model.on('unblocked', () => {
      connection.blockedBecause = undefined
      this.#tell('connected')
    })
    connection.lost.addEventListener('abort', () => {
      if (this.#current === connection) this.#current = undefined
      if (!this.#stop.signal.aborted) this.#tell('lost', (connection.lost.reason as Error).message)
    })
    this.#tell('connected')
  }

  #tell(state: ConnectionStatus['state'], reason?: string): void {
    this.#options.onStatus?.({ lane: this.#options.lane, state, ...(reason !== undefined && { reason }) })
    for (const listener of [...this.#listeners]) listener()
  }

  async close(): Promise<void> {
    if (this.#stop.signal.aborted) return
    this.#stop.abort(new ClosedError('the bus'))
    const current = this.#current
    this.#current = undefined
    this.#tell('closed')
    await current?.close()
  }
}

function abortable<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason)
    if (signal.aborted) return onAbort()
    signal.addEventListener('abort', onAbort, { once: true })
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort))
  })
}
