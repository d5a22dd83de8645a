import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'

/** What the network between a client and its server does. */
export interface Weather {
  /** Added to every piece, either way. */
  readonly latencyMs?: number
  /** Of each connection, either way. */
  readonly bytesPerSecond?: number
  /** Connections stay open and nothing passes, nor comes later: half-open, as after a cable was pulled. */
  readonly isDeaf?: boolean
  /** What the server says is lost, while it hears everything: requests take effect, and nobody is told. */
  readonly isMute?: boolean
  /** Sees what a client says before it passes, and may change the weather for it. */
  readonly onRequest?: (bytes: Buffer) => void
}

/** A TCP proxy on loopback, to be put between a client and a server that is told of its port. */
export class TcpProxy {
  readonly port: number
  readonly #server: Server
  readonly #pairs = new Set<readonly [Socket, Socket]>()
  #target = { host: '127.0.0.1', port: 0 }
  #weather: Weather = {}
  #silent = new WeakSet<Socket>()

  private constructor(server: Server) {
    this.#server = server
    this.port = (server.address() as AddressInfo).port
    server.on('connection', (client) => this.#join(client))
  }

  /** On a port that the system chose; where to is told later, so that the server may be told of the port first. */
  static async listen(): Promise<TcpProxy> {
    const { promise, resolve, reject } = Promise.withResolvers<Server>()
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => resolve(server))
    return new TcpProxy(await promise)
  }

  pointTo(target: { readonly host: string; readonly port: number }): void {
    this.#target = target
  }

  /** From now on, for connections that are there as well. */
  set(weather: Weather): void {
    this.#weather = weather
  }

  get connections(): number {
    return this.#pairs.size
  }

  /** Every connection is reset, both ends at once. New ones are served. */
  cut(): void {
    for (const pair of this.#pairs) for (const socket of pair) socket.resetAndDestroy()
  }

  /** Connections that stand fall silent for ever, both ends open: half-open. New ones are served. */
  silence(): void {
    for (const pair of this.#pairs) for (const socket of pair) this.#silent.add(socket)
  }

  #join(client: Socket): void {
    const server = connect(this.#target)
    const pair = [client, server] as const
    this.#pairs.add(pair)
    for (const [socket, other] of [pair, [server, client] as const]) {
      socket.setNoDelay(true)
      socket.on('error', () => {})
      socket.on('close', () => {
        this.#pairs.delete(pair)
        other.destroy()
      })
    }
    void this.#pump(client, server, 'request')
    void this.#pump(server, client, 'answer')
  }

  async #pump(from: Socket, to: Socket, what: 'request' | 'answer'): Promise<void> {
    try {
      for await (const chunk of from) {
        if (what === 'request') this.#weather.onRequest?.(chunk as Buffer)
        const { latencyMs, bytesPerSecond, isDeaf, isMute } = this.#weather
        if (isDeaf || (isMute && what === 'answer') || this.#silent.has(from)) continue
        if (latencyMs) await delay(latencyMs)
        if (bytesPerSecond) await delay(((chunk as Buffer).length / bytesPerSecond) * 1_000)
        if (!to.write(chunk as Buffer)) await Promise.race([drained(to), closed(to)])
      }
      to.end()
    } catch {
      to.destroy()
    }
  }

  async close(): Promise<void> {
    for (const pair of this.#pairs) for (const socket of pair) socket.destroy()
    await new Promise((resolve) => this.#server.close(resolve))
  }
}

function drained(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.once('drain', resolve))
}

function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => (socket.closed ? resolve() : socket.once('close', () => resolve())))
}
