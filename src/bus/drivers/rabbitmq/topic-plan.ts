import { SkeinError, UnsupportedError } from '../../../core/index.ts'
import { type Capabilities, type Durability, satisfies, type TopicSpec } from '../../index.ts'
import { resolveTopic, type TopicSettings } from '../../kit/index.ts'

/**
 * How a topic is kept, which is its setting `storage`. `log`: a stream per partition, which can be read again. `work`: a quorum queue per partition and
 * group, which forgets what is done, and syncs before it confirms. `ephemeral`: not at all.
 */
export type Keeping = TopicSettings['storage']

export interface TopicPlan {
  readonly settings: TopicSettings
  readonly keeping: Keeping
}

/** RabbitMQ's own default for `max_message_size` before 3.11; 16 MiB since 4.0. */
const MESSAGE_BYTES_MAX = 128 * 1024 * 1024

/** What the cluster gives, by the operator's word. */
export interface ClusterFacts {
  readonly members: number
}

/** Decides how a topic is kept. Throws `UnsupportedError` for what RabbitMQ, or this driver, cannot do. */
export function planTopic(spec: TopicSpec, cluster: ClusterFacts): TopicPlan {
  const settings = resolveTopic(asksFor(spec))
  checkSupported(spec, cluster)
  const { name, storage: keeping, durability } = settings
  if (keeping === 'work' && settings.retention.ageMs !== undefined) {
    throw new UnsupportedError(
      `retention by age on topic "${name}"`,
      'its messages are work, and are kept until they are done; give them a time to live instead',
    )
  }
  const best = bestDurability(keeping, cluster)
  if (satisfies(best, durability)) return { settings, keeping }
  const servers = cluster.members === 1 ? 'one server' : `${cluster.members} servers`
  throw new UnsupportedError(
    `durability "${durability}" on topic "${name}"`,
    `RabbitMQ grants "${best}" to ${keeping === 'log' ? 'a stream, which confirms what is written and not synced,' : 'it'} on ${servers}`,
  )
}

/** The broker cannot find repeats over AMQP 0-9-1: what a spec leaves open is not asked for. */
function asksFor(spec: TopicSpec): TopicSpec {
  return { ...spec, deduplicationWindowMs: spec.deduplicationWindowMs ?? 0 }
}

function checkSupported(spec: TopicSpec, cluster: ClusterFacts): void {
  const { name, replicationFactor = 1, minInSyncReplicas = 1, racks = 1, compression = 'none' } = spec
  const refuse = (feature: string, reason: string) => {
    throw new UnsupportedError(`${feature} on topic "${name}"`, reason)
  }
  if ((spec.deduplicationWindowMs ?? 0) > 0) {
    refuse(
      'deduplication',
      'over AMQP 0-9-1 RabbitMQ stores every message it is given; let the group’s inbox find repeats',
    )
  }
  if (spec.compaction !== undefined)
    refuse('compaction', 'neither streams nor queues of RabbitMQ keep the last message of a key')
  if (racks > 1) refuse(`a spread over ${racks} racks`, 'RabbitMQ places members without regard to racks')
  if (compression !== 'none') refuse(`${compression} compression`, 'RabbitMQ stores what it is given')
  if (Math.max(replicationFactor, minInSyncReplicas) > cluster.members) {
    refuse(
      `a replication factor of ${Math.max(replicationFactor, minInSyncReplicas)}`,
      `the option "members" says that each queue has ${cluster.members}`,
    )
  }
  if ((spec.messageBytesMax ?? 0) > MESSAGE_BYTES_MAX) {
    throw new SkeinError('bad-argument', `Cannot open topic "${name}": RabbitMQ takes messages up to 128 MiB`, {
      details: { topic: name, setting: 'messageBytesMax' },
    })
  }
}

/**
 * A stream confirms when a majority has written (documentation of 3.10, "Streams", data safety: it does not fsync); a quorum
 * queue when a majority has written and synced its log ("Quorum Queues", data safety).
 */
function bestDurability(keeping: Keeping, cluster: ClusterFacts): Durability {
  if (keeping === 'ephemeral') return 'none'
  const isReplicated = cluster.members >= 3
  if (keeping === 'log') return isReplicated ? 'replicated' : 'written'
  return isReplicated ? 'quorum-durable' : 'durable'
}

export function capabilitiesOf(plan: TopicPlan, cluster: ClusterFacts): Capabilities {
  const { settings, keeping } = plan
  const isLog = keeping === 'log'
  const isKept = keeping !== 'ephemeral'
  return {
    driver: 'rabbitmq',
    durability: bestDurability(keeping, cluster),
    order: 'native',
    groups: isLog ? 'emulated' : isKept ? 'native' : 'none',
    broadcast: keeping === 'work' ? 'none' : 'native',
    deduplication: 'none',
    retry: isKept ? 'emulated' : 'none',
    deadLetters: isKept ? 'emulated' : 'none',
    replayByPosition: isLog ? 'native' : 'none',
    replayByTime: isLog ? 'native' : 'none',
    ttl: 'emulated',
    wildcards: isLog ? 'emulated' : 'native',
    compaction: 'none',
    headers: 'native',
    lag: isKept ? 'emulated' : 'none',
    requests: 'native',
    backPressure: 'none',
    transactions: 'none',
    totalOrder: false,
    messageBytesMax: settings.messageBytesMax,
    partitions: settings.partitions,
  }
}
