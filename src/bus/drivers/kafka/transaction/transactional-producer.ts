import type { Connection } from '@platformatic/kafka'
import { SkeinError } from '../../../../core/index.ts'
import type { StoredProgress } from '../../../kit/index.ts'
import type { Cluster } from '../cluster.ts'
import { type Committer, commitPartitions } from '../group/group-offsets.ts'
import { KAFKA, kafkaCode, skeinError } from '../kafka-error.ts'
import type { KafkaTopic } from '../topic/kafka-topic.ts'
import { Producer } from '../write/producer.ts'

const NEW = { producerId: -1n, epoch: -1 }

/** What the coordinator of one transactional id is asked, strictly one thing after the other. */
export class TransactionalProducer {
  readonly id: string
  readonly producer: Producer
  readonly #cluster: Cluster
  readonly #producerId: bigint
  readonly #epoch: number

  private constructor(
    cluster: Cluster,
    identity: { readonly id: string; readonly producerId: bigint; readonly epoch: number },
  ) {
    this.id = identity.id
    this.#cluster = cluster
    this.#producerId = identity.producerId
    this.#epoch = identity.epoch
    this.producer = new Producer(cluster, { transactionalId: identity.id, ...identity })
  }

  /** Takes the id over: whoever had it is fenced, what it left open is aborted, what it was committing is committed. */
  static async begin(cluster: Cluster, id: string, timeoutMs: number): Promise<TransactionalProducer> {
    const { initProducerIdV4 } = cluster.kafka
    const answer = await cluster.askCoordinator(
      { kind: 'transaction', key: id },
      (connection) => initProducerIdV4.api.async(connection, id, timeoutMs, NEW.producerId, NEW.epoch),
      { action: `begin transactions as "${id}"` },
    )
    return new TransactionalProducer(cluster, { id, producerId: answer.producerId, epoch: answer.producerEpoch })
  }

  async #ask(action: string, request: (connection: Connection) => Promise<unknown>): Promise<void> {
    try {
      await this.#cluster.askCoordinator({ kind: 'transaction', key: this.id }, request, { action })
    } catch (error) {
      throw fencedOr(error, this.id)
    }
  }

  /** Before anything is written into them. */
  async addPartitions(
    partitions: ReadonlyArray<{ readonly topic: KafkaTopic; readonly partition: number }>,
  ): Promise<void> {
    const { addPartitionsToTxnV3 } = this.#cluster.kafka
    const topics = [...Map.groupBy(partitions, ({ topic }) => topic.name)].map(([name, own]) => ({
      name,
      partitions: own.map(({ partition }) => partition),
    }))
    const transaction = {
      transactionalId: this.id,
      producerId: this.#producerId,
      producerEpoch: this.#epoch,
      verifyOnly: false,
      topics,
    }
    await this.#ask(`add partitions to the transaction of "${this.id}"`, (connection) =>
      addPartitionsToTxnV3.api.async(connection, [transaction]),
    )
  }

  /** The places of one group, once per transaction with the last of them: serially, as all requests here. */
  async addPlaces(
    committer: Committer,
    places: { readonly topic: string; readonly progress: ReadonlyMap<number, StoredProgress> },
  ): Promise<void> {
    const { addOffsetsToTxnV3, txnOffsetCommitV3 } = this.#cluster.kafka
    const { groupId, memberId, epoch } = committer
    await this.#ask(`add group "${groupId}" to the transaction of "${this.id}"`, (connection) =>
      addOffsetsToTxnV3.api.async(connection, this.id, this.#producerId, this.#epoch, groupId),
    )
    const topics = [{ name: places.topic, partitions: commitPartitions(places.progress) }]
    await this.#cluster
      .askCoordinator(
        { kind: 'group', key: groupId },
        (connection) =>
          txnOffsetCommitV3.api.async(
            connection,
            this.id,
            groupId,
            this.#producerId,
            this.#epoch,
            epoch,
            memberId,
            null,
            topics,
          ),
        { action: `commit the place of "${groupId}" in the transaction of "${this.id}"` },
      )
      .catch((error: unknown) => {
        throw fencedOr(error, this.id)
      })
  }

  /** May be repeated until the coordinator answers: it knows which end it has decided on. */
  async end(isCommit: boolean): Promise<void> {
    const { endTxnV3 } = this.#cluster.kafka
    await this.#ask(`${isCommit ? 'commit' : 'abort'} the transaction of "${this.id}"`, (connection) =>
      endTxnV3.api.async(connection, this.id, this.#producerId, this.#epoch, isCommit),
    )
  }
}

function fencedOr(error: unknown, id: string): SkeinError {
  const code = kafkaCode(error)
  if (code !== KAFKA.INVALID_PRODUCER_EPOCH && code !== KAFKA.PRODUCER_FENCED) return skeinError(error, `use "${id}"`)
  return new SkeinError(
    'fenced',
    `Cannot go on with the transaction of "${id}": another process has begun under this id`,
    {
      cause: error,
      details: { id },
    },
  )
}
