import {
  type Clock,
  type Connection,
  type ConnectionHandlers,
  type Listener,
  type ListenOptions,
  type Network,
  type NetworkAddress,
  type Random,
  SkeinError,
} from '../src/core/index.ts'

export interface SimulatedStreamsOptions {
  readonly clock: Clock
  readonly random: Random
  /** Each write arrives whole after up to so long, and never before an earlier one. Default 2. */
  readonly latencyMsMax?: number
}

/**
 * Byte streams between hosts on simulated time. A host that is cut off loses its connections and gets no new ones. Ports are the
 * hosts' own.
 */
export class SimulatedStreams {
  readonly clock: Clock
  readonly #random: Random
  readonly #latencyMsMax: number
  readonly #listeners = new Map<string, ListenOptions>()
  readonly #open = new Set<SimulatedConnection>()
  readonly #cut = new Set<string>()
  #ports = 0

  constructor(options: SimulatedStreamsOptions) {
    this.clock = options.clock
    this.#random = options.random
    this.#latencyMsMax = options.latencyMsMax ?? 2
  }

  /** The network as one host has it. TLS is passed over: nobody listens in. */
  network(host: string): Network {
    return {
      listen: async (address, options) => this.#listen({ host, port: address.port }, options),
      connect: (address, { timeoutMs }) => this.#connect(host, address, timeoutMs),
    }
  }

  #listen({ host, port: wanted }: NetworkAddress, options: ListenOptions): Listener {
    this.#ports += 1
    const port = wanted === 0 ? 50_000 + this.#ports : wanted
    const name = `${host}:${port}`
    if (this.#listeners.has(name)) throw new SkeinError('port-in-use', `Cannot listen on ${name}: another one does`)
    this.#listeners.set(name, options)
    const close = async () => {
      if (this.#listeners.get(name) === options) this.#listeners.delete(name)
    }
    return { address: { host, port }, close }
  }

  async #connect(from: string, { host, port }: NetworkAddress, timeoutMs: number): Promise<Connection> {
    const isCut = () => this.#cut.has(from) || this.#cut.has(host)
    await this.clock.sleep(isCut() ? timeoutMs : this.latencyMs())
    const listener = this.#listeners.get(`${host}:${port}`)
    if (listener === undefined || isCut()) {
      throw new SkeinError('connection-lost', `Cannot connect to ${host}:${port}`, { retryable: true })
    }
    const near = new SimulatedConnection(this, from, `${host}:${port}`)
    const far = new SimulatedConnection(this, host, from)
    near.peer = far
    far.peer = near
    this.#open.add(near).add(far)
    listener.onConnection(far)
    return near
  }

  latencyMs(): number {
    return this.#random.float() * this.#latencyMsMax
  }

  forget(connection: SimulatedConnection): void {
    this.#open.delete(connection)
  }

  /** Until `heal()`. */
  cut(host: string): void {
    this.#cut.add(host)
    this.reset(host)
  }

  heal(): void {
    this.#cut.clear()
  }

  /** Ends every connection of the host, as when its process dies, and what it listens on. */
  crash(host: string): void {
    for (const name of [...this.#listeners.keys()]) if (name.startsWith(`${host}:`)) this.#listeners.delete(name)
    this.reset(host)
  }

  /** Ends every connection of the host. */
  reset(host: string): void {
    for (const connection of [...this.#open]) if (connection.host === host) connection.destroy()
  }
}

class SimulatedConnection implements Connection {
  readonly host: string
  readonly remote: string
  peer!: SimulatedConnection
  readonly #streams: SimulatedStreams
  #handlers: ConnectionHandlers | undefined
  readonly #early: Uint8Array[] = []
  #hasEnded = false
  #pendingBytes = 0
  #lastAtMs = 0

  constructor(streams: SimulatedStreams, host: string, remote: string) {
    this.#streams = streams
    this.host = host
    this.remote = remote
  }

  get pendingBytes(): number {
    return this.#pendingBytes
  }

  receive(handlers: ConnectionHandlers): void {
    this.#handlers = handlers
    for (const bytes of this.#early.splice(0)) handlers.onBytes(bytes)
    if (this.#hasEnded) handlers.onEnd()
  }

  write(buffers: readonly Uint8Array[]): void {
    if (this.#hasEnded) return
    // A copy, as a wire makes one.
    const bytes = Buffer.concat(buffers)
    this.#pendingBytes += bytes.length
    this.#later(() => {
      this.#pendingBytes -= bytes.length
      if (!this.#hasEnded) this.peer.#arrived(bytes)
    })
  }

  #later(happen: () => void): void {
    const { clock } = this.#streams
    const nowMs = clock.monotonicMs()
    this.#lastAtMs = Math.max(this.#lastAtMs, nowMs + this.#streams.latencyMs())
    clock.setTimer(happen, this.#lastAtMs - nowMs)
  }

  #arrived(bytes: Uint8Array): void {
    if (this.#hasEnded) return
    if (this.#handlers === undefined) this.#early.push(bytes)
    else this.#handlers.onBytes(bytes)
  }

  async drained(): Promise<void> {
    while (this.#pendingBytes > 0 && !this.#hasEnded) await this.#streams.clock.sleep(1)
  }

  destroy(): void {
    if (this.#hasEnded) return
    this.#hasEnded = true
    this.#streams.forget(this)
    this.#handlers?.onEnd()
    this.#later(() => this.peer.destroy())
  }

  end(): void {
    this.#later(() => this.destroy())
  }
}
