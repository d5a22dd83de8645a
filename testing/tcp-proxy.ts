import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'

export interface TcpProxyOptions {
  /** Each piece of data arrives so much later, in both directions. Default 0. */
  readonly latencyMs?: number
  /** In each direction. Default: unbounded. */
  readonly bytesPerSecond?: number
}

interface Pair {
  readonly client: Socket
  readonly server: Socket
}

/**
 * A network that can be made bad: connections to it are passed on to a server, later or slower than they came, until they
 * are reset or fall silent without a word.
 */
export class TcpProxy {
  readonly #server: Server
  readonly #target: URL
  readonly #pairs = new Set<Pair>()
  #options: TcpProxyOptions
  #isRefusing = false

  private constructor(target: URL, options: TcpProxyOptions) {
    this.#target = target
    this.#options = options
    this.#server = createServer((client) => this.#accept(client))
  }

  /** Listens on loopback, on a port the system chose, for a server named by URL. */
  static async listen(target: string, options: TcpProxyOptions = {}): Promise<TcpProxy> {
    const proxy = new TcpProxy(new URL(target), options)
    await new Promise<void>((resolve) => proxy.#server.listen(0, '127.0.0.1', resolve))
    return proxy
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  /** From now on, for connections that stand as well. */
  set(options: TcpProxyOptions): void {
    this.#options = options
  }

  #accept(client: Socket): void {
    if (this.#isRefusing) {
      client.resetAndDestroy()
      return
    }
    const { hostname, port } = this.#target
    const server = connect({ host: hostname, port: Number(port) })
    const pair = { client, server }
    this.#pairs.add(pair)
    client.setNoDelay()
    server.setNoDelay()
    this.#pass(client, server)
    this.#pass(server, client)
    const end = () => {
      this.#pairs.delete(pair)
      client.destroy()
      server.destroy()
    }
    for (const socket of [client, server]) socket.on('error', end).on('close', end)
  }

  #pass(from: Socket, to: Socket): void {
    let freeAtMs = 0
    from.on('data', (data: Buffer) => {
      const { latencyMs = 0, bytesPerSecond } = this.#options
      const nowMs = performance.now()
      const sendMs = bytesPerSecond === undefined ? 0 : (data.byteLength / bytesPerSecond) * 1_000
      freeAtMs = Math.max(freeAtMs, nowMs) + sendMs
      const dueMs = freeAtMs + latencyMs
      if (dueMs <= nowMs) {
        this.#forward(from, to, data)
        return
      }
      // One piece under way at a time: order and back-pressure are TCP's own.
      from.pause()
      setTimeout(() => {
        this.#forward(from, to, data)
        from.resume()
      }, dueMs - nowMs)
    })
    from.on('end', () => to.end())
  }

  #forward(from: Socket, to: Socket, data: Buffer): void {
    if (to.destroyed || to.write(data)) return
    from.pause()
    to.once('drain', () => from.resume())
  }

  /** Every connection breaks with a reset; new ones are taken. */
  reset(): void {
    for (const { client, server } of this.#pairs) {
      client.resetAndDestroy()
      server.resetAndDestroy()
    }
  }

  /** Every connection that stands falls silent: nothing passes, and nobody is told. New ones are taken. */
  silence(): void {
    for (const { client, server } of this.#pairs) {
      for (const socket of [client, server]) {
        socket.removeAllListeners('data')
        socket.resume()
        socket.on('data', () => {})
      }
    }
  }

  /** Whether new connections are reset at once. */
  refuse(isRefusing: boolean): void {
    this.#isRefusing = isRefusing
    if (isRefusing) this.reset()
  }

  async close(): Promise<void> {
    this.#isRefusing = true
    for (const { client, server } of this.#pairs) {
      client.destroy()
      server.destroy()
    }
    await new Promise((resolve) => this.#server.close(resolve))
  }
}
