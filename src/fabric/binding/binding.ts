import type { Durability, Intent } from '../../bus/index.ts'

/** What a contract is bound to: brokers under names of your own, and which of them each intent goes to. */
export interface Binding {
  /** By name: a URL, or a URL with settings. */
  readonly brokers: Readonly<Record<string, string | BrokerSettings>>
  /** Which broker, by its name. What is not named goes where it is served best: see `docs/guides/binding.md`. */
  readonly bind?: Bindings
}

export type Bindings = Readonly<Partial<Record<Intent | 'work', string>>>

/** One broker. What is only for one kind of broker is refused for another. */
export interface BrokerSettings {
  /**
   * `kafka://host:port[,…]`, `nats://host:port[,…]` or `tls://…`, `amqp://user:password@host:port/vhost` or `amqps://…`;
   * also `skein://host:port`, `embedded:DIRECTORY`, `memory:`.
   */
  readonly url: string
  /** What `safe` means on this broker, where it is not safe. Receipts show the level given. Default: it is refused. */
  readonly safe?: Durability
  /** NATS: `core` stores nothing, and takes notices, queries and commands that ask for `none`. Default `jetstream`. */
  readonly mode?: 'jetstream' | 'core'
  /** NATS: replicas of topics that name none. Default 1. */
  readonly replicationFactor?: number
  /** NATS: your word that every server runs with `sync_interval: always`; receipts then say so, asserted. */
  readonly syncAlways?: boolean
  /** NATS: a token, by reference (`env:NAME`, `file:PATH`) or as it is. */
  readonly token?: string
  /** NATS: the text of a `.creds` file, by reference or as it is. */
  readonly credentials?: string
  /** Kafka. The password by reference or as it is. */
  readonly sasl?: SaslSettings
  /** PEM texts, by reference or as they are. Kafka, NATS, RabbitMQ. */
  readonly tls?: TlsSettings
  /** RabbitMQ: on how many servers of the cluster each stream lies. Your word: a client can't read it. Default 1. */
  readonly members?: number
  /** RabbitMQ: in front of every name that is made on the broker. Default `skein`. */
  readonly namespace?: string
}

export interface SaslSettings {
  readonly mechanism: 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512'
  readonly username: string
  readonly password: string
}

export interface TlsSettings {
  readonly ca?: string
  readonly cert?: string
  readonly key?: string
}
