import type { Clock, NetworkAddress, Random, Timer } from '../../core/index.ts'
import { SkeinError } from '../../core/index.ts'
import type { FramedConnection } from './framed-connection.ts'

export interface PeerLinkOptions {
  readonly clock: Clock
  readonly random: Random
  /** Connects and greets. Rejects with why not. */
  readonly dial: () => Promise<FramedConnection>
  /** Written and not yet taken; beyond that the peer is cut off. */
  readonly pendingBytesMax: number
  /** What was sent is lost, or could not be sent. */
  readonly onLost: () => void
  readonly onRefused: (error: SkeinError) => void
}

const FIRST_DELAY_MS = 20
const DELAY_MS_MAX = 1_000
/** What only a person can mend is asked for less often. */
const REFUSED_DELAY_MS = 5_000

/** The one connection on which messages go to one peer, made again whenever it is lost. Without it messages are lost: Raft bears that. */
export class PeerLink {
  readonly #options: PeerLinkOptions
  #connection: FramedConnection | undefined
  #outgoing: Uint8Array[] = []
  #attempts = 0
  #timer: Timer | undefined
  #isClosed = false
  #isSilentSinceMs: number | undefined
  error: SkeinError | undefined

  constructor(options: PeerLinkOptions) {
    this.#options = options
    void this.#connect()
  }

  get isConnected(): boolean {
    return this.#connection !== undefined
  }

  /** Queues a frame, in pieces, for `flush()`; to be called only while connected. */
  send(frame: readonly Uint8Array[]): void {
    for (const part of frame) this.#outgoing.push(part)
  }

  flush(): void {
    if (this.#outgoing.length === 0) return
    const frames = this.#outgoing
    this.#outgoing = []
    const connection = this.#connection
    if (connection === undefined) return
    if (connection.pendingBytes > this.#options.pendingBytesMax) {
      connection.cut(
        new SkeinError('slow-consumer', `Cannot send to ${connection.remote}: it does not take what it is sent`),
      )
      return
    }
    this.#isSilentSinceMs ??= this.#options.clock.monotonicMs()
    connection.write(frames)
  }

  /** Something came from this peer: it is there. */
  heard(): void {
    this.#isSilentSinceMs = undefined
  }

  /** A connection that leads nowhere any more says nothing of it for minutes: make another. */
  cutIfSilent(silentMs: number): void {
    const sinceMs = this.#isSilentSinceMs
    if (sinceMs === undefined || this.#options.clock.monotonicMs() - sinceMs < silentMs) return
    this.#isSilentSinceMs = undefined
    this.#connection?.cut(
      new SkeinError('connection-lost', `Cannot reach ${this.#connection.remote}: nothing comes back`),
    )
  }

  async #connect(): Promise<void> {
    try {
      const connection = await this.#options.dial()
      if (this.#isClosed) connection.cut()
      else this.#opened(connection)
    } catch (error) {
      this.#failed(error)
    }
  }

  #opened(connection: FramedConnection): void {
    if (connection.hasEnded) {
      this.#connectLater(false)
      return
    }
    this.#connection = connection
    this.#attempts = 0
    this.error = undefined
    connection.handlers = {
      onFrame: () => {
        throw new SkeinError(
          'malformed-frame',
          `Cannot read from ${connection.remote}: nothing may come on this connection`,
        )
      },
      onEnd: (error) => {
        this.#connection = undefined
        this.#outgoing = []
        if (this.#isClosed) return
        if (error instanceof SkeinError) this.error = error
        this.#options.onLost()
        this.#connectLater(false)
      },
    }
  }

  #failed(error: unknown): void {
    if (this.#isClosed) return
    const known = error instanceof SkeinError ? error : undefined
    this.error =
      known ?? new SkeinError('connection-lost', 'Cannot connect to a peer', { cause: error, retryable: true })
    const isRefused = known !== undefined && known.code !== 'connection-lost'
    if (isRefused) this.#options.onRefused(known)
    this.#connectLater(isRefused)
  }

  /** Doubling with full jitter. */
  #connectLater(isRefused: boolean): void {
    if (this.#isClosed) return
    const { clock, random } = this.#options
    const stepMs = isRefused
      ? REFUSED_DELAY_MS
      : Math.min(DELAY_MS_MAX, FIRST_DELAY_MS * 2 ** Math.min(this.#attempts, 10))
    this.#attempts += 1
    this.#timer = clock.setTimer(() => void this.#connect(), stepMs / 4 + random.float() * stepMs)
  }

  close(): void {
    this.#isClosed = true
    this.#timer?.cancel()
    this.#connection?.end()
  }
}

/** `host:port`, with brackets around an IPv6 address. Throws `bad-argument`. */
export function parseAddress(address: string): NetworkAddress {
  const found = /^(?:\[([^\]]+)\]|([^:\s]+)):(\d{1,5})$/.exec(address)
  const port = Number(found?.[3])
  if (found !== null && port <= 65_535) return { host: (found[1] ?? found[2])!, port }
  throw new SkeinError('bad-argument', `Cannot use the address "${address}": it must be host:port`)
}
