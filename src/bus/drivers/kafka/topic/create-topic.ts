import { UnsupportedError } from '../../../../core/index.ts'
import type { TopicSettings } from '../../../kit/index.ts'
import type { Cluster } from '../cluster.ts'
import { protocolErrorOf } from '../kafka-error.ts'
import { configsOf } from './topic-configs.ts'

const CREATE_MS = 10_000
const BROKER_DECIDES = -1
const REPLICAS_WANTED = 3
const LEADERS_WITHIN_MS = 15_000

export interface CreateOptions {
  /** The durability that is asked for needs several replicas. */
  readonly wantsReplicas: boolean
  readonly more: Readonly<Record<string, string>>
}

/** Creates a topic and waits until every partition has a leader. Rejects with the library's error. */
export async function createTopic(cluster: Cluster, settings: TopicSettings, options: CreateOptions): Promise<void> {
  const { name, partitions } = settings
  if (cluster.brokers.size === 0) await cluster.refresh([])
  const replicas =
    settings.replicationFactor ??
    (options.wantsReplicas ? Math.min(REPLICAS_WANTED, cluster.brokers.size) : BROKER_DECIDES)
  const inSync = settings.minInSyncReplicas ?? (options.wantsReplicas ? Math.max(1, replicas - 1) : undefined)
  checkPlaces(cluster, settings, replicas)
  const topic = {
    name,
    numPartitions: partitions,
    replicationFactor: replicas,
    assignments: [],
    configs: [...configsOf(settings, { minInSyncReplicas: inSync, more: options.more })],
  }
  const { createTopicsV7 } = cluster.kafka
  await cluster.ask('any', (connection) => createTopicsV7.api.async(connection, [topic], CREATE_MS, false))
  await cluster.retrying(
    `create topic "${name}"`,
    async () => {
      const info = await cluster.topic(name, { fresh: true })
      const isLed = info?.partitions.length === partitions && info.partitions.every(({ leader }) => leader >= 0)
      if (!isLed) throw protocolErrorOf(cluster.kafka, 5)
    },
    { withinMs: LEADERS_WITHIN_MS },
  )
}

/** More replicas than brokers, or more racks than there are, cannot be had. */
function checkPlaces(cluster: Cluster, settings: TopicSettings, replicas: number): void {
  const { name, racks = 1, minInSyncReplicas = 1 } = settings
  const brokers = [...cluster.brokers.values()]
  if (replicas > brokers.length) {
    throw new UnsupportedError(
      `a replication factor of ${replicas} for topic "${name}"`,
      `this cluster has ${brokers.length} ${brokers.length === 1 ? 'broker' : 'brokers'}`,
    )
  }
  if (replicas > 0 && minInSyncReplicas > replicas) {
    throw new UnsupportedError(`${minInSyncReplicas} replicas in sync for topic "${name}"`, `it has ${replicas}`)
  }
  const known = new Set(brokers.map(({ rack }) => rack).filter((rack) => rack !== undefined)).size
  if (racks > 1 && (known < racks || (replicas > 0 && replicas < racks))) {
    const why = known < racks ? `the brokers name ${known} (broker.rack)` : `it has ${replicas} replicas`
    throw new UnsupportedError(`${racks} racks for topic "${name}"`, why)
  }
}
