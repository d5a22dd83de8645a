import type { Capabilities, Durability } from '../../../index.ts'
import type { TopicSettings } from '../../../kit/index.ts'

const REPLICAS_LEAST = 3
const IN_SYNC_LEAST = 2

/** What an acknowledgment of all in-sync replicas means here: one replica may be the only one left in sync. */
export function grantedDurability(
  settings: Pick<TopicSettings, 'replicationFactor' | 'minInSyncReplicas'>,
): Durability {
  const { replicationFactor = 1, minInSyncReplicas = 1 } = settings
  return replicationFactor >= REPLICAS_LEAST && minInSyncReplicas >= IN_SYNC_LEAST ? 'replicated' : 'written'
}

export function kafkaCapabilities(settings: TopicSettings): Capabilities {
  return {
    driver: 'kafka',
    durability: grantedDurability(settings),
    order: 'native',
    groups: 'native',
    broadcast: 'native',
    // By each group's readers: Kafka stores a repeat.
    deduplication: 'emulated',
    // Kept with the group's offsets: Kafka knows no attempts.
    retry: 'emulated',
    deadLetters: 'emulated',
    replayByPosition: 'native',
    replayByTime: 'native',
    // On reading.
    ttl: 'emulated',
    // By the reader: the broker sends the whole topic.
    wildcards: 'emulated',
    compaction: 'native',
    headers: 'native',
    lag: 'native',
    requests: 'none',
    backPressure: 'none',
    transactions: 'native',
    totalOrder: true,
    messageBytesMax: settings.messageBytesMax,
    partitions: settings.partitions,
  }
}
