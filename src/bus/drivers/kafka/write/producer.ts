import type { Cluster } from '../cluster.ts'
import { Compressor } from '../protocol/compression.ts'
import type { KafkaTopic } from '../topic/kafka-topic.ts'
import { Lane } from './lane.ts'
import { ProduceSender } from './produce-sender.ts'

/** How long the broker may wait for its replicas. */
const REPLICAS_MS = 5_000

/** All lanes of a bus: one per partition, shared by its writers. */
export class Producer {
  readonly #cluster: Cluster
  readonly #compressor: Compressor
  readonly #lanes = new Map<string, Lane[]>()
  readonly #senders = new Map<string, ProduceSender>()

  constructor(cluster: Cluster) {
    this.#cluster = cluster
    this.#compressor = new Compressor(cluster.kafka)
  }

  /** By partition. A topic deleted and made again has lanes of its own: sequences begin anew there. */
  lanes(topic: KafkaTopic): readonly Lane[] {
    let lanes = this.#lanes.get(topic.id)
    if (lanes === undefined) {
      const lane = topic.settings.intent === 'telemetry' ? 'bulk' : 'prompt'
      const parts = {
        cluster: this.#cluster,
        compressor: this.#compressor,
        sender: (node: number) => this.#sender(node, lane),
        newProducerId: () => this.#newProducerId(),
      }
      lanes = Array.from({ length: topic.partitions }, (_, partition) => new Lane(topic, partition, parts))
      this.#lanes.set(topic.id, lanes)
    }
    return lanes
  }

  forget(topic: KafkaTopic): void {
    this.#lanes.delete(topic.id)
  }

  /** Telemetry and the rest have connections of their own: a command does not wait behind a flood. */
  #sender(node: number, lane: 'bulk' | 'prompt'): ProduceSender {
    const key = `${lane}/${node}`
    let sender = this.#senders.get(key)
    if (sender === undefined) {
      const options = { timeoutMs: REPLICAS_MS, transactionalId: null }
      sender = new ProduceSender(this.#cluster, { node, lane, options })
      this.#senders.set(key, sender)
    }
    return sender
  }

  async #newProducerId(): Promise<bigint> {
    const { initProducerIdV4 } = this.#cluster.kafka
    const { producerId } = await this.#cluster.ask('any', (connection) =>
      initProducerIdV4.api.async(connection, null, REPLICAS_MS, -1n, -1),
    )
    return producerId
  }
}
