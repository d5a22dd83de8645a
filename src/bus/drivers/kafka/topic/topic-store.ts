import { SkeinError, UnsupportedError } from '../../../../core/index.ts'
import { type Capabilities, type RequestedDurability, satisfies, type TopicSpec } from '../../../index.ts'
import { checkSameTopic, resolveTopic, type TopicSettings } from '../../../kit/index.ts'
import type { Cluster, TopicInfo } from '../cluster.ts'
import { KAFKA, kafkaCode, protocolErrorOf } from '../kafka-error.ts'
import type { Producer } from '../write/producer.ts'
import { createTopic } from './create-topic.ts'
import { grantedDurability, kafkaCapabilities } from './kafka-capabilities.ts'
import type { KafkaTopic } from './kafka-topic.ts'
import { actualSettings, READ_CONFIGS, type TopicConfigs } from './topic-configs.ts'
import { REGISTRY_TOPIC, TopicRegistry } from './topic-registry.ts'

const NAME = /^[a-zA-Z0-9._-]{1,249}$/
const TOPIC_RESOURCE = 2
const DELETE_MS = 10_000
const BATCH_SPARE_BYTES = 1_024
/** How long whoever made a topic has to record what it is. */
const RECORD_TRIES = 20

/** Creates, verifies and deletes topics; remembers those that were opened by this bus. */
export class TopicStore {
  readonly #cluster: Cluster
  readonly #producer: Producer
  readonly #registry: TopicRegistry
  readonly #more: Readonly<Record<string, string>>
  readonly #open = new Map<string, KafkaTopic>()

  constructor(parts: {
    readonly cluster: Cluster
    readonly producer: Producer
    readonly more: Readonly<Record<string, string>>
  }) {
    this.#cluster = parts.cluster
    this.#producer = parts.producer
    this.#registry = new TopicRegistry(parts.cluster, parts.producer)
    this.#more = parts.more
  }

  /** Throws `not-found` for a topic that this bus has not opened. */
  get(name: string): KafkaTopic {
    const topic = this.#open.get(name)
    if (topic === undefined) throw notOpen(name)
    return topic
  }

  async open(spec: TopicSpec): Promise<Capabilities> {
    const settings = resolveTopic(spec)
    checkKeepable(settings)
    const found = await this.#find(spec.name)
    const topic = found === undefined ? await this.#create(settings) : await this.#asRecorded(found, settings)
    if (found !== undefined) {
      checkSameTopic({ ...topic.settings, ...racksAsAsked(topic.settings, spec) }, spec)
      if (spec.durability !== undefined) checkDurability(topic, spec.durability)
    }
    this.#open.set(spec.name, topic)
    return topic.capabilities
  }

  /** As it is now, and from now on usable as it is; rejects with `not-found`. */
  async describe(name: string): Promise<KafkaTopic> {
    checkName(name)
    const topic = await this.#find(name)
    if (topic === undefined) throw notOpen(name)
    if (!this.#open.has(name)) this.#open.set(name, topic)
    return topic
  }

  /** The topic as it is, with what was recorded of it; undefined when there is none. */
  #find(name: string): Promise<KafkaTopic | undefined> {
    return this.#cluster.retrying(`open topic "${name}"`, async () => {
      const info = await this.#cluster.topic(name, { fresh: true })
      return info === undefined ? undefined : this.#describe(name, info)
    })
  }

  async #describe(name: string, info: TopicInfo): Promise<KafkaTopic> {
    const [configs, recorded] = await Promise.all([this.#configs(name), this.#recorded(name)])
    // A topic that somebody else has made: what Kafka cannot tell is decided by the first spec that opens it.
    const base = recorded ?? resolveTopic({ name, intent: 'telemetry' })
    if (recorded !== undefined) checkPartitions(recorded, info.partitions.length)
    const settings = actualSettings(base, {
      configs,
      partitions: info.partitions.length,
      replicationFactor: Math.min(...info.partitions.map(({ replicas }) => replicas.length)),
      racks: Math.min(...info.partitions.map(({ replicas }) => this.#racksOf(replicas))),
    })
    return topicOf(settings, { id: info.id, configs })
  }

  #racksOf(replicas: readonly number[]): number {
    return new Set(replicas.map((node) => this.#cluster.brokers.get(node)?.rack ?? 'none')).size
  }

  async #recorded(name: string): Promise<TopicSettings | undefined> {
    if (name === REGISTRY_TOPIC) return undefined
    return this.#registry.get(name)
  }

  async #configs(name: string): Promise<TopicConfigs> {
    const { describeConfigsV4 } = this.#cluster.kafka
    const resource = { resourceType: TOPIC_RESOURCE, resourceName: name, configurationKeys: READ_CONFIGS } as const
    const answer = await this.#cluster.ask('any', (connection) =>
      describeConfigsV4.api.async(connection, [resource], false, false),
    )
    return new Map(answer.results[0]!.configs.map((config) => [config.name, config.value ?? '']))
  }

  async #create(settings: TopicSettings): Promise<KafkaTopic> {
    const { name, durability } = settings
    const wantsReplicas = satisfies('replicated', durability) && !satisfies('written', durability)
    if (this.#cluster.brokers.size === 0) await this.#cluster.refresh([])
    checkReachable(settings, this.#cluster.brokers.size)
    let tries = 0
    try {
      await this.#cluster.retrying(`create topic "${name}"`, async () => {
        tries += 1
        await createTopic(this.#cluster, settings, { wantsReplicas, more: this.#more })
      })
    } catch (error) {
      if (kafkaCode(error) !== KAFKA.TOPIC_ALREADY_EXISTS) throw error
      // Unless an earlier try of this call has made it, though its answer was lost.
      if (tries === 1) return this.#madeMeanwhile(name)
    }
    await this.#registry.put(name, settings)
    const topic = (await this.#find(name))!
    checkDurability(topic, durability)
    return topic
  }

  /** What differs may only not be recorded yet: several who open a topic for the first time do so at once. */
  async #asRecorded(found: KafkaTopic, asked: TopicSettings): Promise<KafkaTopic> {
    if (found.settings.intent === asked.intent) return found
    const configs = await this.#configs(found.name)
    // As this driver makes topics, and hardly anybody else.
    return configs.get('message.timestamp.type') === 'LogAppendTime' ? this.#madeMeanwhile(found.name) : found
  }

  /** Somebody else creates it at this moment, and then records what it is. */
  #madeMeanwhile(name: string): Promise<KafkaTopic> {
    let tries = 0
    return this.#cluster.retrying(`open topic "${name}"`, async () => {
      tries += 1
      const isRecorded = (await this.#registry.get(name)) !== undefined
      const topic = isRecorded || tries > RECORD_TRIES ? await this.#find(name) : undefined
      if (topic === undefined) throw protocolErrorOf(this.#cluster.kafka, KAFKA.LEADER_NOT_AVAILABLE)
      return topic
    })
  }

  /** Resolves when no broker knows it any more. */
  async delete(name: string): Promise<void> {
    const topic = await this.describe(name)
    await this.#registry.put(name, undefined)
    const { deleteTopicsV6 } = this.#cluster.kafka
    const action = `delete topic "${name}"`
    await this.#cluster.retrying(action, () =>
      this.#cluster
        .ask('any', (connection) => deleteTopicsV6.api.async(connection, [{ name }], DELETE_MS))
        .catch((error: unknown) => {
          // An earlier try has done it, though its answer was lost.
          if (kafkaCode(error) !== KAFKA.UNKNOWN_TOPIC_OR_PARTITION) throw error
        }),
    )
    this.#open.delete(name)
    this.#producer.forget(topic)
    await this.#cluster.retrying(action, async () => {
      const info = await this.#cluster.topic(name, { fresh: true })
      if (info?.id === topic.id) throw protocolErrorOf(this.#cluster.kafka, KAFKA.LEADER_NOT_AVAILABLE)
    })
  }

  /** All but Kafka's own and the registry. */
  async names(): Promise<string[]> {
    const found = await this.#cluster.retrying('list the topics', () => this.#cluster.refresh(null))
    return [...found.keys()].filter((name) => name !== REGISTRY_TOPIC && !name.startsWith('__')).sort()
  }
}

function topicOf(settings: TopicSettings, actual: { readonly id: string; readonly configs: TopicConfigs }): KafkaTopic {
  return {
    name: settings.name,
    id: actual.id,
    settings,
    capabilities: kafkaCapabilities(settings),
    partitions: settings.partitions,
    batchBytesMax: Number(actual.configs.get('max.message.bytes') ?? settings.messageBytesMax) - BATCH_SPARE_BYTES,
    compression: settings.compression ?? 'none',
    keepsTime: settings.compaction !== undefined,
  }
}

function checkName(name: string): void {
  if (NAME.test(name) && name !== '.' && name !== '..') return
  throw new UnsupportedError(
    `the topic name "${name}"`,
    'Kafka takes at most 249 letters, digits, dots, dashes and underscores of ASCII',
  )
}

function checkKeepable(settings: TopicSettings): void {
  checkName(settings.name)
  if (settings.storage !== 'ephemeral') return
  throw new UnsupportedError(
    `ephemeral storage for topic "${settings.name}"`,
    'Kafka stores whatever it is given; bind notices and queries to a broker that has fan-out, such as NATS',
  )
}

function checkPartitions(recorded: TopicSettings, actual: number): void {
  const { name, partitions } = recorded
  if (actual === partitions) return
  const change = actual < partitions ? 'shrank' : 'grew'
  throw new SkeinError(
    'bad-argument',
    `Cannot open topic "${name}": its partitions ${change} from ${partitions} to ${actual} behind Skein's back, and keys have moved; ` +
      'make a new topic and move the messages over',
    { details: { topic: name, setting: 'partitions', recorded: partitions, actual } },
  )
}

/** Before it is created: with so few brokers the level cannot be had. */
function checkReachable(settings: TopicSettings, brokers: number): void {
  const { durability, replicationFactor = brokers, minInSyncReplicas = 2 } = settings
  const best = grantedDurability({ replicationFactor: Math.min(replicationFactor, brokers), minInSyncReplicas })
  if (satisfies(best, durability)) return
  const has = `this cluster has ${brokers} ${brokers === 1 ? 'broker' : 'brokers'}`
  refuse(settings.name, durability, brokers < 3 ? has : `${replicationFactor} and ${minInSyncReplicas} were asked for`)
}

function checkDurability(topic: KafkaTopic, asked: RequestedDurability): void {
  if (satisfies(topic.capabilities.durability, asked)) return
  const { replicationFactor = 1, minInSyncReplicas = 1 } = topic.settings
  refuse(
    topic.name,
    asked,
    `it has a replication factor of ${replicationFactor} and min.insync.replicas of ${minInSyncReplicas}`,
  )
}

/** The level that receipts have. Throws `UnsupportedError` when it is less than asked. */
export function checkGranted(topic: KafkaTopic, asked: RequestedDurability): void {
  checkDurability(topic, asked)
}

function refuse(topic: string, asked: RequestedDurability, why: string): never {
  const need =
    asked === 'durable' || asked === 'quorum-durable'
      ? 'Kafka acknowledges before it syncs its disks'
      : `"replicated" takes a replication factor of 3 and min.insync.replicas of 2, and ${why}`
  throw new UnsupportedError(`durability "${asked}" on topic "${topic}"`, `${need}; ask for "written"`)
}

/** Asked for fewer racks than it has, it has enough. */
function racksAsAsked(actual: TopicSettings, spec: TopicSpec): Partial<TopicSettings> {
  return spec.racks === undefined || (actual.racks ?? 1) < spec.racks ? {} : { racks: spec.racks }
}

function notOpen(name: string): SkeinError {
  return new SkeinError(
    'not-found',
    `Cannot use topic "${name}": it does not exist, or was not opened; open it first`,
    {
      details: { topic: name },
    },
  )
}
