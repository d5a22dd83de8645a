import { type Clock, partitionOfKey } from '../../../core/index.ts'
import { type EncodedRecords, RecordBatchBuilder } from '../../../log/index.ts'
import type { Message } from '../../index.ts'
import { MessageChecker, storedHeaders } from '../../kit/index.ts'
import type { TopicInfo } from './topic-info.ts'

/** Bytes of one body at which the next message begins another: several are on their way at once. */
const BODY_BYTES = 224 * 1024

/** One body of one partition, and which of the partition's messages in the batch it holds. */
export interface EncodedSection {
  readonly partition: number
  readonly records: EncodedRecords
  /** The first of them, counted among the batch's messages of this partition. */
  readonly firstOfPartition: number
}

/** Encodes batches for one topic: straight into the bytes that the node's log will store. */
export class BatchEncoder {
  readonly #clock: Clock
  readonly #partitions: number
  readonly #checker: MessageChecker
  readonly #builders: Array<RecordBatchBuilder | undefined>
  readonly #counts: Uint32Array

  constructor(topic: TopicInfo, clock: Clock) {
    this.#clock = clock
    this.#partitions = topic.partitions
    this.#checker = new MessageChecker(topic)
    this.#builders = new Array<RecordBatchBuilder | undefined>(topic.partitions).fill(undefined)
    this.#counts = new Uint32Array(topic.partitions)
  }

  /**
   * In the order in which they have to be sent. Throws `bad-subject`, `message-too-large` or `bad-argument` for the
   * first bad message: then nothing of the batch is given.
   */
  encode(batch: readonly Message[]): readonly EncodedSection[] {
    const sections: EncodedSection[] = []
    this.#counts.fill(0)
    try {
      for (let index = 0; index < batch.length; index += 1) {
        this.#checker.check(batch[index]!, index)
        this.#add(batch[index]!, sections)
      }
    } catch (error) {
      for (const builder of this.#builders) if (builder !== undefined && builder.count > 0) builder.finish()
      throw error
    }
    for (let partition = 0; partition < this.#builders.length; partition += 1) this.#finish(partition, sections)
    return sections
  }

  partitionOf(message: Message): number {
    return partitionOfKey(message.key ?? message.subject, this.#partitions)
  }

  #add(message: Message, sections: EncodedSection[]): void {
    const partition = this.partitionOf(message)
    let builder = this.#builders[partition]
    if (builder === undefined) {
      builder = new RecordBatchBuilder()
      this.#builders[partition] = builder
    }
    builder.add({
      subject: message.subject,
      key: message.key,
      value: message.value,
      headers: storedHeaders(message),
      timestampMs: message.timestampMs ?? this.#clock.nowMs(),
    })
    this.#counts[partition]! += 1
    if (builder.byteLength >= BODY_BYTES) this.#finish(partition, sections)
  }

  #finish(partition: number, sections: EncodedSection[]): void {
    const builder = this.#builders[partition]
    if (builder === undefined || builder.count === 0) return
    const firstOfPartition = this.#counts[partition]! - builder.count
    sections.push({ partition, records: builder.finish(), firstOfPartition })
  }
}
