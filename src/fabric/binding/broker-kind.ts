/** What a broker is, as far as its address and its settings tell. */
export type BrokerKind = 'memory' | 'embedded' | 'remote' | 'kafka' | 'jetstream' | 'nats-core' | 'rabbitmq'

/** What must be known of a broker before any topic is opened on it; all else its topics' capabilities say. */
export interface BrokerFacts {
  /** Request and reply: queries, joins, pulses, and everything that is asked of a node. */
  readonly hasRequests: boolean
  /** Positions can serve as epochs: the roster may lie here. */
  readonly hasTotalOrder: boolean
}

/** `test/integration/binding` holds what the drivers say of their topics against it. */
export const BROKER_FACTS: Readonly<Record<BrokerKind, BrokerFacts>> = {
  memory: { hasRequests: true, hasTotalOrder: true },
  embedded: { hasRequests: true, hasTotalOrder: true },
  remote: { hasRequests: true, hasTotalOrder: true },
  kafka: { hasRequests: false, hasTotalOrder: true },
  jetstream: { hasRequests: true, hasTotalOrder: true },
  'nats-core': { hasRequests: true, hasTotalOrder: false },
  rabbitmq: { hasRequests: true, hasTotalOrder: false },
}

const SCHEMES: ReadonlyArray<readonly [RegExp, BrokerKind]> = [
  [/^memory:$/, 'memory'],
  [/^embedded:./, 'embedded'],
  [/^(skein|ws|wss|http|https):\/\/./, 'remote'],
  [/^kafka:\/\/./, 'kafka'],
  [/^(nats|tls):\/\/./, 'jetstream'],
  [/^amqps?:\/\/./, 'rabbitmq'],
]

/** Undefined for an address of no kind there is. */
export function brokerKind(url: string, mode?: 'jetstream' | 'core'): BrokerKind | undefined {
  const kind = SCHEMES.find(([scheme]) => scheme.test(url))?.[1]
  return kind === 'jetstream' && mode === 'core' ? 'nats-core' : kind
}
