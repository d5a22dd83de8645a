import { type Clock, partitionOfKey } from '../../../../core/index.ts'
import type { Message, Receipt, Writer, WriterOptions } from '../../../index.ts'
import { MessageChecker, WriteGate } from '../../../kit/index.ts'
import type { KafkaTopic } from '../topic/kafka-topic.ts'
import { checkGranted } from '../topic/topic-store.ts'
import type { Lane } from './lane.ts'
import { WriteTicket } from './write-ticket.ts'

const PENDING_BYTES_MAX = 8 * 1024 * 1024

export interface KafkaWriterParts {
  readonly options: WriterOptions
  readonly clock: Clock
  readonly lanes: readonly Lane[]
  readonly onClosed: () => void
}

/** Shares the messages of a batch out to the lanes of their partitions; one promise for all of them. */
export class KafkaWriter implements Writer {
  readonly #topic: KafkaTopic
  readonly #clock: Clock
  readonly #lanes: readonly Lane[]
  readonly #gate: WriteGate
  readonly #checker: MessageChecker
  readonly #onClosed: () => void
  readonly #shares: Message[][]
  readonly #partitionOf: (message: Message) => number
  readonly #receipt: Pick<Receipt, 'durability' | 'asserted'>

  constructor(topic: KafkaTopic, parts: KafkaWriterParts) {
    const { name, durability } = topic.settings
    checkGranted(topic, parts.options.durability ?? durability)
    this.#topic = topic
    this.#clock = parts.clock
    this.#lanes = parts.lanes
    this.#onClosed = parts.onClosed
    this.#gate = new WriteGate(`the writer of "${name}"`, parts.options.pendingBytesMax ?? PENDING_BYTES_MAX)
    this.#checker = new MessageChecker(topic.settings)
    this.#shares = parts.lanes.map(() => [])
    const { partitions } = topic
    this.#partitionOf = (message) => partitionOfKey(message.key ?? message.subject, partitions)
    this.#receipt = { durability: topic.capabilities.durability, asserted: false }
  }

  get full(): boolean {
    return this.#gate.full
  }

  write(batch: readonly Message[]): Promise<Receipt> {
    const refusal = this.#gate.refusal()
    if (refusal !== undefined) return Promise.reject(refusal)
    try {
      for (let index = 0; index < batch.length; index += 1) this.#checker.check(batch[index]!, index)
    } catch (error) {
      return Promise.reject(error)
    }
    return this.#send(batch)
  }

  #send(batch: readonly Message[]): Promise<Receipt> {
    const partitionOf = this.#partitionOf
    const ticket = new WriteTicket({ topic: this.#topic.name, batch, partitionOf, receipt: this.#receipt })
    const nowMs = this.#clock.nowMs()
    let bytes = 0
    if (this.#lanes.length === 1) bytes = this.#lanes[0]!.add(batch, ticket, nowMs)
    else {
      for (const message of batch) this.#shares[partitionOf(message)]!.push(message)
      for (const [partition, share] of this.#shares.entries()) {
        if (share.length === 0) continue
        bytes += this.#lanes[partition]!.add(share, ticket, nowMs)
        share.length = 0
      }
    }
    this.#gate.enter(bytes)
    const leave = () => this.#gate.leave(bytes)
    ticket.promise.then(leave, leave)
    return ticket.promise
  }

  drained(options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    return this.#gate.wait('room', options.signal)
  }

  async drain(): Promise<void> {
    this.#close()
    await this.#gate.wait('empty')
  }

  async close(): Promise<void> {
    this.#close()
  }

  #close(): void {
    if (this.#gate.isClosed) return
    this.#gate.close()
    this.#onClosed()
  }
}
