import type { Clock, Random } from '../../../core/index.ts'

/** What a TLS socket of Node takes: `ca`, `cert`, `key`, `servername`, `rejectUnauthorized`. Passed on as it is. */
export type TlsOptions = Readonly<Record<string, unknown>>

export interface RabbitmqBusOptions {
  /** `amqp://user:password@host:port/vhost`, or `amqps://`. */
  readonly url: string
  readonly clock: Clock
  readonly random: Random
  readonly tls?: TlsOptions
  /** In front of the name of everything this driver makes on the broker. Default `skein`. */
  readonly namespace?: string
  /**
   * How many servers of the cluster hold each stream and quorum queue. A client can't read it from the broker: it is your
   * word, and receipts that rest on it say `asserted`. Default 1.
   */
  readonly members?: number
  /** How long a first connection is tried. Default 10,000. Later ones are tried until the bus is closed. */
  readonly connectTimeoutMs?: number
  /** A connection that is silent for twice as long is lost. Default 10. */
  readonly heartbeatSeconds?: number
  /** Told of every change of a connection. */
  readonly onStatus?: (status: ConnectionStatus) => void
  readonly signal?: AbortSignal
}

export interface ConnectionStatus {
  /** What it carries: publishing never shares a connection with consuming, nor commands one with telemetry. */
  readonly lane: ConnectionLane
  /** `blocked`: the broker takes nothing more for now, because its memory or disk is short. */
  readonly state: 'connected' | 'blocked' | 'lost' | 'closed'
  readonly reason?: string
}

export type ConnectionLane = 'control' | 'urgent' | 'bulk' | 'consume'
