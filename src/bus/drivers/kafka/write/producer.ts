import type { Cluster } from '../cluster.ts'
import { Compressor } from '../protocol/compression.ts'
import type { KafkaTopic } from '../topic/kafka-topic.ts'
import { Lane } from './lane.ts'
import { ProduceSender } from './produce-sender.ts'

/** How long the broker may wait for its replicas. */
const REPLICAS_MS = 5_000

/** A producer of transactions, as its coordinator knows it. */
export interface TransactionalIdentity {
  readonly transactionalId: string
  readonly producerId: bigint
  readonly epoch: number
}

/** All lanes of a bus, or of the transactions under one id: one per partition. */
export class Producer {
  readonly #cluster: Cluster
  readonly #transactional: TransactionalIdentity | undefined
  readonly #compressor: Compressor
  readonly #lanes = new Map<string, Lane[]>()
  readonly #senders = new Map<string, ProduceSender>()

  constructor(cluster: Cluster, transactional?: TransactionalIdentity) {
    this.#cluster = cluster
    this.#transactional = transactional
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
        identify: () => this.#identify(),
        isTransactional: this.#transactional !== undefined,
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
      const options = { timeoutMs: REPLICAS_MS, transactionalId: this.#transactional?.transactionalId ?? null }
      sender = new ProduceSender(this.#cluster, { node, lane, options })
      this.#senders.set(key, sender)
    }
    return sender
  }

  async #identify(): Promise<{ readonly producerId: bigint; readonly epoch: number }> {
    if (this.#transactional !== undefined) return this.#transactional
    const { initProducerIdV4 } = this.#cluster.kafka
    const { producerId } = await this.#cluster.ask('any', (connection) =>
      initProducerIdV4.api.async(connection, null, REPLICAS_MS, -1n, -1),
    )
    return { producerId, epoch: 0 }
  }
}
