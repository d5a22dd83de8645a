/** Where a process listens or is reached. */
export interface NetworkAddress {
  readonly host: string
  readonly port: number
}

/** TLS 1.3 with certificates on both sides; all three are PEM texts. */
export interface MutualTls {
  readonly key: string
  readonly certificate: string
  /** Who signs the certificates of this process's peers. */
  readonly authority: string
}

export interface ConnectOptions {
  readonly tls?: MutualTls | undefined
  /** How long connecting, with its handshake, may take. */
  readonly timeoutMs: number
}

export interface ListenOptions {
  readonly tls?: MutualTls | undefined
  readonly onConnection: (connection: Connection) => void
}

/** Byte streams between processes, handed in so that they can be simulated. Failures are `SkeinError`. */
export interface Network {
  /** Port 0 lets the system choose. Rejects with `port-in-use`, `io-failed`. */
  listen(address: NetworkAddress, options: ListenOptions): Promise<Listener>
  /** Rejects with `connection-lost`. */
  connect(address: NetworkAddress, options: ConnectOptions): Promise<Connection>
}

export interface Listener {
  readonly address: NetworkAddress
  /** Accepts nothing more; connections that are open stay. Idempotent. */
  close(): Promise<void>
}

export interface ConnectionHandlers {
  /** In the order it was sent. The bytes are the receiver's to keep. */
  readonly onBytes: (bytes: Uint8Array) => void
  /** Once, whoever ended it. */
  readonly onEnd: () => void
}

/** One open byte stream. What is small leaves at once: nothing waits to be joined with what may come. */
export interface Connection {
  /** For messages to people. */
  readonly remote: string
  /** Begins to receive. Called once; nothing is lost before. */
  receive(handlers: ConnectionHandlers): void
  /** Queues bytes, which must not change any more. Look at `pendingBytes` before. */
  write(buffers: readonly Uint8Array[]): void
  /** Written and not yet taken by the system. */
  readonly pendingBytes: number
  /** Resolves when little is pending, or the connection has ended. */
  drained(): Promise<void>
  /** At once; what is pending may be lost. Idempotent. */
  destroy(): void
  /** Sends what is pending, then ends. */
  end(): void
}
