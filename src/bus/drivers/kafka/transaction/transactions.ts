import { SkeinError } from '../../../../core/index.ts'
import type { Transaction, TransactionOptions } from '../../../index.ts'
import type { Cluster } from '../cluster.ts'
import type { KafkaTopic } from '../topic/kafka-topic.ts'
import { KafkaTransaction } from './kafka-transaction.ts'
import { TransactionalProducer } from './transactional-producer.ts'

const TIMEOUT_MS = 60_000

interface Holder {
  producer: TransactionalProducer | undefined
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
    const holder = this.#holders.get(id) ?? { producer: undefined, isOpen: false, isFenced: false }
    this.#holders.set(id, holder)
    checkFree(id, holder)
    holder.isOpen = true
    const begin = async () => {
      holder.producer ??= await TransactionalProducer.begin(this.#cluster, id, timeoutMs)
      return holder.producer
    }
    try {
      const producer = await begin()
      return new KafkaTransaction({
        cluster: this.#cluster,
        producer,
        topic: this.#topic,
        onEnd: async (how) => {
          holder.isOpen = false
          holder.isFenced = how === 'fenced'
          if (how === 'clean') return
          holder.producer = undefined
          // At once, so that what was left undecided is decided before anybody looks.
          if (how === 'lost') await begin()
        },
      })
    } catch (error) {
      holder.isOpen = false
      throw error
    }
  }
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
