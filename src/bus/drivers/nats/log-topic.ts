import { UnsupportedError } from '../../../core/index.ts'
import { type Capabilities, type Durability, type RequestedDurability, satisfies } from '../../index.ts'
import type { TopicSettings } from '../../kit/index.ts'
import { TopicNames } from './names.ts'
import type { ServerFeatures } from './server-version.ts'

/** A topic that JetStream stores: one stream per partition. */
export interface LogTopic {
  readonly kind: 'log'
  readonly settings: TopicSettings
  readonly names: TopicNames
  /** What its streams have now, whatever was asked for when it was made. */
  readonly replicas: number
  readonly durability: GrantedDurability
  readonly capabilities: Capabilities
  readonly features: ServerFeatures
  /** Its streams were made for batches that are stored as they come. */
  readonly takesBatches: boolean
}

/** What a PubAck of the topic's streams means. */
export interface GrantedDurability {
  readonly level: Durability
  /** The operator's word: a client cannot read how the servers sync. */
  readonly asserted: boolean
}

export function newLogTopic(
  settings: TopicSettings,
  of: {
    readonly replicas: number
    readonly syncAlways: boolean
    readonly features: ServerFeatures
    readonly takesBatches: boolean
  },
): LogTopic {
  const durability = grantedBy(of.replicas, of.syncAlways)
  return {
    kind: 'log',
    settings,
    names: new TopicNames(settings.name),
    replicas: of.replicas,
    durability,
    capabilities: capabilitiesOf(settings, durability.level, of.features),
    features: of.features,
    takesBatches: of.takesBatches,
  }
}

/** An acknowledgment comes after a majority of the replicas has written; two replicas survive nothing more than one. */
function grantedBy(replicas: number, syncAlways: boolean): GrantedDurability {
  const isReplicated = replicas >= 3
  if (syncAlways) return { level: isReplicated ? 'quorum-durable' : 'durable', asserted: true }
  return { level: isReplicated ? 'replicated' : 'written', asserted: false }
}

/** Throws `UnsupportedError` when the topic gives less than is asked. */
export function checkDurability(topic: LogTopic, asked: RequestedDurability): void {
  const { level } = topic.durability
  if (satisfies(level, asked)) return
  throw new UnsupportedError(
    `durability "${asked}" on topic "${topic.settings.name}"`,
    `its streams have ${topic.replicas === 1 ? 'one replica' : `${topic.replicas} replicas`}, which is "${level}": ` +
      'ask for 3 replicas (replicationFactor), or have the servers sync always and say so (syncAlways), or ask for less',
  )
}

function capabilitiesOf(settings: TopicSettings, durability: Durability, features: ServerFeatures): Capabilities {
  return {
    driver: 'jetstream',
    durability,
    order: 'native',
    // In records of the driver's own, as are attempts and what is held back: see decision 0046.
    groups: 'emulated',
    broadcast: 'native',
    deduplication: 'native',
    retry: 'emulated',
    deadLetters: 'emulated',
    replayByPosition: 'native',
    replayByTime: 'native',
    ttl: features.messageTtl ? 'native' : 'none',
    wildcards: 'native',
    compaction: 'native',
    headers: 'native',
    lag: 'native',
    requests: 'native',
    backPressure: 'none',
    transactions: 'none',
    totalOrder: true,
    messageBytesMax: settings.messageBytesMax,
    partitions: settings.partitions,
  }
}
