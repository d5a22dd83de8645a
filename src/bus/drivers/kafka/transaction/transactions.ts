import { SkeinError } from '../../../../core/index.ts'
import type { Transaction, TransactionOptions } from '../../../index.ts'
import type { Cluster } from '../cluster.ts'
import type { KafkaTopic } from '../topic/kafka-topic.ts'
import { KafkaTransaction } from './kafka-transaction.ts'
import { TransactionalProducer } from './transactional-producer.ts'

const TIMEOUT_MS = 60_000

interface Holder {
  producer: TransactionalProducer | undefined
  /** Of two at once, the later would fence the earlier. */
  beginning: Promise<TransactionalProducer> | undefined
  isOpen: boolean
  isFenced: boolean
}

/** The transactional ids of a bus, each with the producer that holds it between transactions. */
export class Transactions {
  readonly #cluster: Cluster
  readonly #topic: (name: string) => KafkaTopic
  readonly #holders = new Map<string, Holder>()

  constructor(cluster: Cluster, topic: (name: string) => KafkaTopic) {
    this.#cluster = cluster
    this.#topic = topic
  }

  async begin(options: TransactionOptions): Promise<Transaction> {
    const { id, timeoutMs = TIMEOUT_MS } = options
    const holder = this.#holders.get(id) ?? newHolder()
    this.#holders.set(id, holder)
    checkFree(id, holder)
    holder.isOpen = true
    try {
      return new KafkaTransaction({
        cluster: this.#cluster,
        producer: await this.#producerOf(holder, id, timeoutMs),
        topic: this.#topic,
        onEnd: (how) => {
          holder.isOpen = false
          holder.isFenced = how === 'fenced'
          if (how !== 'clean') holder.producer = undefined
        },
        beginAnew: async () => {
          // Another process that has begun under the id has decided it.
          if (!holder.isFenced) await this.#producerOf(holder, id, timeoutMs)
        },
      })
    } catch (error) {
      holder.isOpen = false
      throw error
    }
  }

  async #producerOf(holder: Holder, id: string, timeoutMs: number): Promise<TransactionalProducer> {
    if (holder.producer !== undefined) return holder.producer
    holder.beginning ??= TransactionalProducer.begin(this.#cluster, id, timeoutMs).finally(() => {
      holder.beginning = undefined
    })
    holder.producer = await holder.beginning
    return holder.producer
  }
}

function newHolder(): Holder {
  return { producer: undefined, beginning: undefined, isOpen: false, isFenced: false }
}

function checkFree(id: string, holder: Holder): void {
  if (holder.isFenced) {
    throw new SkeinError('fenced', `Cannot begin a transaction as "${id}": another process has begun under this id`, {
      details: { id },
    })
  }
  if (!holder.isOpen) return
  throw new SkeinError('bad-argument', `Cannot begin a transaction as "${id}": the one before it is still open`, {
    details: { id },
  })
}
