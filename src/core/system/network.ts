import { createServer, connect as dialTcp, type Server, type Socket } from 'node:net'
import { createServer as createTlsServer, connect as dialTls, type SecureContextOptions } from 'node:tls'
import { SkeinError } from '../errors.ts'
import type {
  Connection,
  ConnectionHandlers,
  ConnectOptions,
  Listener,
  ListenOptions,
  MutualTls,
  Network,
  NetworkAddress,
} from '../network.ts'

/** TCP, or TLS 1.3 over it, without delay for small writes. */
export const systemNetwork: Network = {
  listen(address, options) {
    const { promise, resolve, reject } = Promise.withResolvers<Listener>()
    const server = makeServer(options)
    server.once('error', (cause) => reject(listenError(address, cause)))
    server.listen({ host: address.host, port: address.port }, () => resolve(new SystemListener(server)))
    return promise
  },
  connect(address, options) {
    const { promise, resolve, reject } = Promise.withResolvers<Connection>()
    const socket = dial(address, options)
    const fail = (cause?: Error) => {
      socket.destroy()
      const why = cause?.message ?? `no answer within ${options.timeoutMs} ms`
      const message = `Cannot connect to ${address.host}:${address.port}: ${why}`
      reject(new SkeinError('connection-lost', message, { cause, retryable: true }))
    }
    socket.setTimeout(options.timeoutMs, () => fail())
    socket.once('error', fail)
    socket.once(options.tls === undefined ? 'connect' : 'secureConnect', () => {
      socket.setTimeout(0)
      socket.off('error', fail)
      resolve(new SystemConnection(socket))
    })
    return promise
  },
}

function makeServer({ tls, onConnection }: ListenOptions): Server {
  const take = (socket: Socket) => onConnection(new SystemConnection(socket))
  if (tls === undefined) return createServer({ noDelay: true }, take)
  const server = createTlsServer({ ...tlsOptions(tls), requestCert: true, rejectUnauthorized: true }, take)
  // A handshake that fails ends that connection alone.
  server.on('tlsClientError', (_, socket) => socket.destroy())
  server.on('connection', (socket: Socket) => socket.setNoDelay(true))
  return server
}

function dial({ host, port }: NetworkAddress, { tls }: ConnectOptions): Socket {
  if (tls === undefined) return dialTcp({ host, port, noDelay: true })
  const socket = dialTls({ host, port, ...tlsOptions(tls) })
  socket.setNoDelay(true)
  return socket
}

function tlsOptions({ key, certificate, authority }: MutualTls): SecureContextOptions {
  return { key, cert: certificate, ca: authority, minVersion: 'TLSv1.3' }
}

function listenError({ host, port }: NetworkAddress, cause: NodeJS.ErrnoException): SkeinError {
  if (cause.code === 'EADDRINUSE') {
    const message = `Cannot listen on ${host}:${port}: another process does; stop it, or choose another port`
    return new SkeinError('port-in-use', message, { cause })
  }
  return new SkeinError('io-failed', `Cannot listen on ${host}:${port}: ${cause.message}`, { cause })
}

class SystemListener implements Listener {
  readonly address: NetworkAddress
  readonly #server: Server
  #closing: Promise<void> | undefined

  constructor(server: Server) {
    const { address: host, port } = server.address() as { readonly address: string; readonly port: number }
    this.address = { host, port }
    this.#server = server
    // Running out of descriptors ends no listener: it accepts again when there are some.
    server.on('error', () => undefined)
  }

  close(): Promise<void> {
    this.#closing ??= new Promise((resolve) => {
      // Its callback waits for every connection: those belong to whoever accepted them.
      this.#server.close()
      resolve()
    })
    return this.#closing
  }
}

class SystemConnection implements Connection {
  readonly remote: string
  readonly #socket: Socket
  #waiting: Array<() => void> = []

  constructor(socket: Socket) {
    this.#socket = socket
    this.remote = `${socket.remoteAddress ?? 'nobody'}:${socket.remotePort ?? 0}`
    const wake = () => {
      const waiting = this.#waiting
      this.#waiting = []
      for (const resolve of waiting) resolve()
    }
    socket.on('drain', wake)
    socket.on('close', wake)
    // What went wrong shows as its end.
    socket.on('error', () => undefined)
  }

  receive({ onBytes, onEnd }: ConnectionHandlers): void {
    this.#socket.on('data', onBytes)
    // A peer that says no more hears no more.
    this.#socket.on('end', () => this.#socket.end())
    if (this.#socket.destroyed) onEnd()
    else this.#socket.on('close', onEnd)
  }

  write(buffers: readonly Uint8Array[]): void {
    if (this.#socket.destroyed || this.#socket.writableEnded) return
    if (buffers.length === 1) {
      this.#socket.write(buffers[0]!)
      return
    }
    this.#socket.cork()
    for (const bytes of buffers) this.#socket.write(bytes)
    this.#socket.uncork()
  }

  get pendingBytes(): number {
    return this.#socket.writableLength
  }

  drained(): Promise<void> {
    if (!this.#socket.writableNeedDrain || this.#socket.destroyed) return Promise.resolve()
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  destroy(): void {
    this.#socket.destroy()
  }

  end(): void {
    this.#socket.end()
  }
}
