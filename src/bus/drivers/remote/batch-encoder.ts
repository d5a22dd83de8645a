import { type BufferPool, type Clock, partitionOfKey } from '../../../core/index.ts'
import { type EncodedRecords, RecordBatchBuilder } from '../../../log/index.ts'
import type { Precedence } from '../../../wire/index.ts'
import type { Message } from '../../index.ts'
import { MessageChecker, storedHeaders } from '../../kit/index.ts'
import type { TopicInfo } from './topic-info.ts'

/** Bytes of one body at which the next message begins another: several are on their way at once. */
const BODY_BYTES = 224 * 1024
/** While commands are under way, little is done in one piece. */
const BODY_BYTES_AMID_COMMANDS = 56 * 1024

/** One body of one partition, and which of the partition's messages in the batch it holds. */
export interface EncodedSection {
  readonly partition: number
  readonly records: EncodedRecords
  /** Where they stand in the batch, ascending. */
  readonly indexes: readonly number[]
}

export interface BatchEncoderOptions {
  readonly clock: Clock
  readonly pool: BufferPool
  readonly precedence: Precedence
}

/** Encodes batches for one topic: straight into the bytes that the node's log will store. */
export class BatchEncoder {
  readonly #clock: Clock
  readonly #pool: BufferPool
  readonly #precedence: Precedence
  readonly #partitions: number
  readonly #checker: MessageChecker
  readonly #builders: Array<RecordBatchBuilder | undefined>
  /** Places in the batch of what each builder holds. */
  readonly #indexes: number[][]

  constructor(topic: TopicInfo, options: BatchEncoderOptions) {
    this.#clock = options.clock
    this.#pool = options.pool
    this.#precedence = options.precedence
    this.#partitions = topic.partitions
    this.#checker = new MessageChecker(topic)
    this.#builders = new Array<RecordBatchBuilder | undefined>(topic.partitions).fill(undefined)
    this.#indexes = this.#builders.map(() => [])
  }

  /**
   * In the order in which they have to be sent. Throws `bad-subject`, `message-too-large` or `bad-argument` for the
   * first bad message: then nothing of the batch is given.
   */
  encode(batch: readonly Message[]): readonly EncodedSection[] {
    const sections: EncodedSection[] = []
    const nowMs = this.#clock.nowMs()
    const bodyBytes = this.#precedence.isTaken ? BODY_BYTES_AMID_COMMANDS : BODY_BYTES
    try {
      for (let index = 0; index < batch.length; index += 1) {
        this.#checker.check(batch[index]!, index)
        const partition = this.#add(batch[index]!, nowMs)
        this.#indexes[partition]!.push(index)
        if (this.#builders[partition]!.byteLength >= bodyBytes) this.#finish(partition, sections)
      }
    } catch (error) {
      this.#clear()
      throw error
    }
    for (let partition = 0; partition < this.#builders.length; partition += 1) this.#finish(partition, sections)
    return sections
  }

  #clear(): void {
    for (const [partition, builder] of this.#builders.entries()) {
      if (builder !== undefined && builder.count > 0) builder.finish()
      this.#indexes[partition] = []
    }
  }

  /** Returns the partition. */
  #add(message: Message, nowMs: number): number {
    const partition = partitionOfKey(message.key ?? message.subject, this.#partitions)
    let builder = this.#builders[partition]
    if (builder === undefined) {
      builder = new RecordBatchBuilder({ pool: this.#pool })
      this.#builders[partition] = builder
    }
    builder.add({
      subject: message.subject,
      key: message.key,
      value: message.value,
      headers: storedHeaders(message),
      timestampMs: message.timestampMs ?? nowMs,
    })
    return partition
  }

  #finish(partition: number, sections: EncodedSection[]): void {
    const builder = this.#builders[partition]
    if (builder === undefined || builder.count === 0) return
    const indexes = this.#indexes[partition]!
    this.#indexes[partition] = []
    sections.push({ partition, records: builder.finish(), indexes })
  }
}
