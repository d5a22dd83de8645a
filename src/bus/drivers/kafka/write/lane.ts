import { ClosedError } from '../../../../core/index.ts'
import type { Message } from '../../../index.ts'
import type { Cluster } from '../cluster.ts'
import { isRetriableCode, KAFKA, protocolErrorOf, skeinError } from '../kafka-error.ts'
import { BatchEncoder, type EncodedBatch } from '../protocol/batch-encoder.ts'
import { putBatchHead } from '../protocol/batch-head.ts'
import type { Compressor } from '../protocol/compression.ts'
import type { ProduceResult } from '../protocol/produce-request.ts'
import type { KafkaTopic } from '../topic/kafka-topic.ts'
import { NotSentError, type ProduceSender } from './produce-sender.ts'
import { ProducerIdentity } from './producer-identity.ts'
import type { PartOutcome, WriteTicket } from './write-ticket.ts'

const RECORD_SPARE_BYTES = 256

interface Part {
  readonly ticket: WriteTicket
  readonly count: number
}

interface PendingBatch {
  readonly encoder: BatchEncoder
  readonly parts: Part[]
}

export interface LaneParts {
  readonly cluster: Cluster
  readonly compressor: Compressor
  readonly sender: (node: number) => ProduceSender
  /** Under what the next batches are stored. */
  readonly identify: () => Promise<{ readonly producerId: bigint; readonly epoch: number }>
  /** In a transaction an epoch is the transaction's: a lane that loses its place cannot go on by itself. */
  readonly isTransactional: boolean
}

/** What the broker knows of a lane's batch after one attempt. */
type Attempt =
  | { readonly kind: 'stored'; readonly baseOffset: number }
  | { readonly kind: 'again' | 'renew' | 'refused'; readonly cause: unknown }

/**
 * All that this bus writes into one partition, in order: messages gather in the open batch while the one before them is on
 * its way, and only one is on its way at a time, so that nothing can overtake it.
 */
export class Lane {
  readonly #topic: KafkaTopic
  readonly #partition: number
  readonly #parts: LaneParts
  readonly #identity = new ProducerIdentity()
  #queue: PendingBatch[] = []
  #isRunning = false

  constructor(topic: KafkaTopic, partition: number, parts: LaneParts) {
    this.#topic = topic
    this.#partition = partition
    this.#parts = parts
  }

  /** Takes messages of one `write()`; their ticket is told when they are stored or not. */
  add(messages: readonly Message[], ticket: WriteTicket, nowMs: number): number {
    let bytes = 0
    let batch = this.#open()
    let count = 0
    const take = () => {
      if (count > 0) batch.parts.push({ ticket, count })
      count = 0
    }
    for (const message of messages) {
      if (batch.encoder.count > 0 && batch.encoder.byteLength + roomFor(message) > this.#topic.batchBytesMax) {
        take()
        batch = this.#openNew()
      }
      const before = batch.encoder.byteLength
      batch.encoder.add(message, nowMs)
      bytes += batch.encoder.byteLength - before
      count += 1
    }
    take()
    this.#start()
    return bytes
  }

  #open(): PendingBatch {
    const last = this.#queue.at(-1)
    return last === undefined || last.encoder.byteLength >= this.#topic.batchBytesMax ? this.#openNew() : last
  }

  #openNew(): PendingBatch {
    const { name, keepsTime } = this.#topic
    const batch = { encoder: new BatchEncoder({ topic: name, keepsTime }), parts: [] }
    this.#queue.push(batch)
    return batch
  }

  #start(): void {
    if (this.#isRunning) return
    this.#isRunning = true
    void this.#run()
  }

  async #run(): Promise<void> {
    // What is added in this turn joins the first batch.
    await Promise.resolve()
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
      const outcome = await this.#store(next.encoder.finish())
      this.#tell(next, outcome)
      if (outcome.kind === 'unknown') this.#refuseQueued(outcome.cause)
    }
    this.#isRunning = false
  }

  #tell(batch: PendingBatch, outcome: PartOutcome): void {
    let offset = outcome.kind === 'stored' ? outcome.lastOffset - batch.encoder.count : 0
    for (const { ticket, count } of batch.parts) {
      offset += count
      ticket.tell(this.#partition, count, outcome.kind === 'stored' ? { kind: 'stored', lastOffset: offset } : outcome)
    }
  }

  /** Behind a batch that may or may not be there nothing may be stored: it could come before it, or without it. */
  #refuseQueued(cause: unknown): void {
    const queued = this.#queue
    this.#queue = []
    for (const batch of queued) this.#tell(batch, { kind: 'refused', cause })
  }

  async #store(encoded: EncodedBatch): Promise<PartOutcome> {
    const { cluster, compressor } = this.#parts
    let mayBeStored = false
    try {
      const { batch, number } = await compressor.compress(encoded, this.#topic.compression)
      const deadlineMs = cluster.clock.monotonicMs() + cluster.retryForMs
      for (let tries = 0; ; tries += 1) {
        const attempt = await this.#attempt(batch, number, () => {
          mayBeStored = true
        })
        if (attempt.kind === 'stored') {
          this.#identity.stored(batch.count)
          return { kind: 'stored', lastOffset: attempt.baseOffset + batch.count - 1 }
        }
        const isOver = cluster.clock.monotonicMs() >= deadlineMs || cluster.isClosed
        if (attempt.kind === 'renew' && !mayBeStored && !isOver) this.#identity.renew()
        else if (attempt.kind !== 'again' || isOver) return this.#failed(attempt.cause, mayBeStored)
        await cluster.backOff(tries)
      }
    } catch (cause) {
      return this.#failed(cause, mayBeStored)
    }
  }

  #failed(cause: unknown, mayBeStored: boolean): PartOutcome {
    const error = this.#parts.cluster.isClosed
      ? new ClosedError('the bus')
      : skeinError(cause, `write to partition ${this.#partition} of "${this.#topic.name}"`)
    if (!mayBeStored) return { kind: 'refused', cause: error }
    this.#identity.renew()
    return { kind: 'unknown', cause: error }
  }

  async #attempt(batch: EncodedBatch, compression: number, onDoubt: () => void): Promise<Attempt> {
    const { cluster, sender } = this.#parts
    try {
      const leader = await this.#leader()
      if (leader < 0) return { kind: 'again', cause: protocolErrorOf(cluster.kafka, KAFKA.LEADER_NOT_AVAILABLE) }
      if (!this.#identity.isKnown) this.#identity.begin(await this.#parts.identify())
      const stamp = this.#stamp()
      putBatchHead(batch, { stamp, compression, crc32c: cluster.kafka.crc32c })
      const part = { topic: this.#topic.name, partition: this.#partition, bytes: batch.bytes }
      return this.#judge(await sender(leader).submit(part), onDoubt)
    } catch (error) {
      if (!(error instanceof NotSentError)) onDoubt()
      const cause = error instanceof NotSentError ? error.cause : error
      cluster.noteFailure(cause)
      this.#isStale = true
      return { kind: isFinal(cause) ? 'refused' : 'again', cause }
    }
  }

  #isStale = false

  async #leader(): Promise<number> {
    const { cluster } = this.#parts
    const isStale = this.#isStale
    this.#isStale = false
    if (isStale || cluster.leaderOf(this.#topic.name, this.#partition) < 0) {
      await cluster.topic(this.#topic.name, { fresh: true })
    }
    return cluster.leaderOf(this.#topic.name, this.#partition)
  }

  #stamp() {
    const { producerId, epoch, sequence } = this.#identity
    return { producerId, epoch, sequence, isTransactional: this.#parts.isTransactional }
  }

  #judge(result: ProduceResult, onDoubt: () => void): Attempt {
    const { errorCode } = result
    // A repeat of a batch that the broker has, but so long ago that it has forgotten where.
    if (errorCode === 0 || errorCode === KAFKA.DUPLICATE_SEQUENCE_NUMBER) {
      return { kind: 'stored', baseOffset: result.baseOffset }
    }
    const cause = protocolErrorOf(this.#parts.cluster.kafka, errorCode, result.message)
    if (errorCode === KAFKA.NOT_ENOUGH_REPLICAS_AFTER_APPEND || errorCode === KAFKA.REQUEST_TIMED_OUT) onDoubt()
    if (RENEWED.has(errorCode)) return { kind: this.#parts.isTransactional ? 'refused' : 'renew', cause }
    this.#isStale = true
    return { kind: isRetriableCode(errorCode) ? 'again' : 'refused', cause }
  }
}

/** The broker has lost, or moved past, what it knew of this producer. */
const RENEWED: ReadonlySet<number> = new Set([
  KAFKA.OUT_OF_ORDER_SEQUENCE_NUMBER,
  KAFKA.UNKNOWN_PRODUCER_ID,
  KAFKA.INVALID_PRODUCER_EPOCH,
])

function isFinal(cause: unknown): boolean {
  const { code } = skeinError(cause, 'write')
  return code === 'unauthorised' || code === 'bad-config' || code === 'closed'
}

/** At most what the record of a message takes. */
function roomFor(message: Message): number {
  const { value, key, subject, headers } = message
  let bytes = RECORD_SPARE_BYTES + subject.length * 3 + (key?.length ?? 0) * 3
  if (value !== null) bytes += typeof value === 'string' ? value.length * 3 : value.byteLength
  if (headers !== undefined) for (const name in headers) bytes += (name.length + headers[name]!.length) * 3 + 8
  return bytes
}
