import type { Clock, Random } from '../../../core/index.ts'

/** Whether the brokers can be reached now. */
export interface KafkaStatus {
  readonly state: 'connected' | 'disconnected'
  /** Why, while disconnected. */
  readonly reason: string | undefined
}

/** Credentials, as `@platformatic/kafka` takes them. */
export interface KafkaSasl {
  readonly mechanism: 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512' | 'OAUTHBEARER' | 'GSSAPI'
  readonly username?: string | (() => string | Promise<string>)
  readonly password?: string | (() => string | Promise<string>)
  readonly token?: string | (() => string | Promise<string>)
}

export interface KafkaBusOptions {
  /** `kafka://host:port[,host:port…]`. */
  readonly url: string
  readonly clock: Clock
  readonly random: Random
  /** Names this client to the brokers, for their logs and quotas. Default `skein`. */
  readonly clientId?: string
  /** Handed to `node:tls`. Without it the connection is in the clear. */
  readonly tls?: Readonly<Record<string, unknown>>
  readonly sasl?: KafkaSasl
  /** The rack or zone this client runs in, for its group's place. */
  readonly rack?: string
  /** How long opening goes on trying. Default 10,000. */
  readonly connectTimeoutMs?: number
  /** How long one request may take. Default 10,000. */
  readonly requestTimeoutMs?: number
  /** How long a request, or a message that could not be written, is tried again. Default 30,000. */
  readonly retryForMs?: number
  /** How often a group's reader reports to the broker. Default: as often as the broker asks. */
  readonly heartbeatIntervalMs?: number
  /** Of the topics this bus creates, beside what their spec says: Kafka's own names. */
  readonly topicConfigs?: Readonly<Record<string, string>>
  readonly onStatus?: (status: KafkaStatus) => void
  readonly signal?: AbortSignal
}
