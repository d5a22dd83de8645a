import type { Cluster } from '../cluster.ts'

/** What a client may put through, in bytes per second and broker. A limit that is left out is none. */
export interface ClientQuota {
  /** The client id it is for; undefined: every client that has none of its own. */
  readonly clientId: string | undefined
  readonly producerBytesPerSecond?: number
  readonly consumerBytesPerSecond?: number
}

const KEYS = { producerBytesPerSecond: 'producer_byte_rate', consumerBytesPerSecond: 'consumer_byte_rate' } as const
const ANY = 2
const CLIENT = 'client-id'

/** The quotas that Kafka keeps by client id. */
export class ClientQuotas {
  readonly #cluster: Cluster

  constructor(cluster: Cluster) {
    this.#cluster = cluster
  }

  async list(): Promise<readonly ClientQuota[]> {
    const { describeClientQuotasV1 } = this.#cluster.kafka
    const component = { entityType: CLIENT, matchType: ANY } as const
    const answer = await this.#cluster.retrying('read the client quotas', () =>
      this.#cluster.ask('any', (connection) => describeClientQuotasV1.api.async(connection, [component], true)),
    )
    return (answer.entries ?? []).map(({ entity, values }) => {
      const rate = (key: string) => values.find((value) => value.key === key)?.value
      const producer = rate(KEYS.producerBytesPerSecond)
      const consumer = rate(KEYS.consumerBytesPerSecond)
      return {
        clientId: entity[0]?.entityName ?? undefined,
        ...(producer !== undefined && { producerBytesPerSecond: producer }),
        ...(consumer !== undefined && { consumerBytesPerSecond: consumer }),
      }
    })
  }

  /** Replaces what there was for this client; brokers follow within moments. */
  async set(quota: ClientQuota): Promise<void> {
    const { alterClientQuotasV1 } = this.#cluster.kafka
    const ops = (Object.keys(KEYS) as Array<keyof typeof KEYS>).map((name) => {
      const value = quota[name]
      return value === undefined
        ? ({ key: KEYS[name], remove: true } as const)
        : ({ key: KEYS[name], value, remove: false } as const)
    })
    const entities = [{ entityType: CLIENT, entityName: quota.clientId ?? null }] as const
    await this.#cluster.retrying('set a client quota', () =>
      this.#cluster.ask('any', (connection) =>
        alterClientQuotasV1.api.async(connection, [{ entities: [...entities], ops }], false),
      ),
    )
  }
}
