import type { TopicSettings } from '../../../kit/index.ts'
import { resolveTopic } from '../../../kit/index.ts'
import type { Cluster } from '../cluster.ts'
import { KAFKA, kafkaCode } from '../kafka-error.ts'
import { RecordCursor } from '../protocol/record-cursor.ts'
import { readBatches } from '../read/read-once.ts'
import type { Producer } from '../write/producer.ts'
import { WriteTicket } from '../write/write-ticket.ts'
import { createTopic } from './create-topic.ts'
import { kafkaCapabilities } from './kafka-capabilities.ts'
import type { KafkaTopic } from './kafka-topic.ts'

/** Where Skein keeps what Kafka cannot keep of a topic: its intent, TTL and the like. One compacted partition. */
export const REGISTRY_TOPIC = 'skein.topics'

const READ_BYTES = 1024 * 1024

/** The settings of every topic that Skein has opened on this cluster, by name. */
export class TopicRegistry {
  readonly #cluster: Cluster
  readonly #producer: Producer
  readonly #settings = new Map<string, TopicSettings>()
  #topic: KafkaTopic | undefined
  #offset = 0
  #reading: Promise<void> = Promise.resolve()

  constructor(cluster: Cluster, producer: Producer) {
    this.#cluster = cluster
    this.#producer = producer
  }

  /** As last recorded by anybody. */
  async get(name: string): Promise<TopicSettings | undefined> {
    await this.#readToEnd()
    return this.#settings.get(name)
  }

  async put(name: string, settings: TopicSettings | undefined): Promise<void> {
    const topic = await this.#open()
    const value = settings === undefined ? null : JSON.stringify(settings)
    const batch = [{ subject: REGISTRY_TOPIC, key: name, value }]
    const receipt = { durability: topic.capabilities.durability, asserted: false }
    const ticket = new WriteTicket({ topic: REGISTRY_TOPIC, batch, partitionOf: () => 0, receipt })
    this.#producer.lanes(topic)[0]!.add(batch, ticket, this.#cluster.clock.nowMs())
    await ticket.promise
  }

  async #open(): Promise<KafkaTopic> {
    if (this.#topic !== undefined) return this.#topic
    const settings = resolveTopic({ name: REGISTRY_TOPIC, intent: 'event', deduplicationWindowMs: 0, compaction: {} })
    let info = await this.#cluster.topic(REGISTRY_TOPIC, { fresh: true })
    if (info === undefined) {
      await createTopic(this.#cluster, settings, { wantsReplicas: true, more: {} }).catch((error: unknown) => {
        if (kafkaCode(error) !== KAFKA.TOPIC_ALREADY_EXISTS) throw error
      })
      info = await this.#cluster.topic(REGISTRY_TOPIC, { fresh: true })
    }
    this.#topic = {
      name: REGISTRY_TOPIC,
      id: info?.id ?? REGISTRY_TOPIC,
      settings,
      capabilities: kafkaCapabilities(settings),
      partitions: 1,
      batchBytesMax: settings.messageBytesMax,
      compression: 'none',
      keepsTime: false,
    }
    return this.#topic
  }

  /** One at a time: each goes on where the one before it ended. */
  #readToEnd(): Promise<void> {
    this.#reading = this.#reading.catch(() => {}).then(() => this.#readOn())
    return this.#reading
  }

  async #readOn(): Promise<void> {
    await this.#open()
    for (;;) {
      const from = { topic: REGISTRY_TOPIC, partition: 0, offset: this.#offset, bytesMax: READ_BYTES }
      const batches = await readBatches(this.#cluster, from)
      if (batches.length === 0) return
      for (const batch of batches) {
        const cursor = new RecordCursor(batch)
        while (cursor.next()) {
          const { key, value, text } = cursor
          if (key === undefined) continue
          if (value === null) this.#settings.delete(key)
          else this.#settings.set(key, JSON.parse(text) as TopicSettings)
        }
        this.#offset = batch.lastOffset + 1
      }
    }
  }
}
