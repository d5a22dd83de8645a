import { type Clock, checkSubject, partitionOfKey, SkeinError } from '../../../core/index.ts'
import { type EncodedRecords, RecordBatchBuilder } from '../../../log/index.ts'
import { type Message, storedHeaders } from '../../index.ts'
import type { TopicInfo } from './topic-info.ts'

/** Bytes of one body at which the next message begins another: several are on their way at once. */
const BODY_BYTES = 256 * 1024

/** Subjects known to be sound; forgotten together when there are more. */
const CHECKED_MAX = 16_384

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
  readonly #topic: TopicInfo
  readonly #builders: Array<RecordBatchBuilder | undefined>
  readonly #counts: Uint32Array
  #checked = new Set<string>()

  constructor(topic: TopicInfo, clock: Clock) {
    this.#clock = clock
    this.#topic = topic
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
      for (const message of batch) this.#add(message, sections)
    } catch (error) {
      for (const builder of this.#builders) if (builder !== undefined && builder.count > 0) builder.finish()
      throw error
    }
    for (let partition = 0; partition < this.#builders.length; partition += 1) this.#finish(partition, sections)
    return sections
  }

  partitionOf(message: Message): number {
    return partitionOfKey(message.key ?? message.subject, this.#topic.partitions)
  }

  #add(message: Message, sections: EncodedSection[]): void {
    if (!this.#checked.has(message.subject)) this.#check(message.subject)
    this.#checkSize(message)
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

  #check(subject: string): void {
    checkSubject(subject)
    const topic = this.#topic.name
    if (subject !== topic && !subject.startsWith(`${topic}.`)) {
      throw new SkeinError('bad-subject', `Cannot write to "${subject}": it does not lie in the topic "${topic}"`, {
        details: { subject, topic },
      })
    }
    if (this.#checked.size >= CHECKED_MAX) this.#checked = new Set()
    this.#checked.add(subject)
  }

  #checkSize(message: Message): void {
    const { value } = message
    const { messageBytesMax } = this.#topic
    if (value === null) return
    // A text is at most three bytes a unit: counted only when it could be too long.
    if (typeof value === 'string' && value.length * 3 <= messageBytesMax) return
    const bytes = typeof value === 'string' ? Buffer.byteLength(value) : value.byteLength
    if (bytes <= messageBytesMax) return
    throw new SkeinError(
      'message-too-large',
      `Cannot write a message of ${bytes} bytes to "${this.#topic.name}": its limit is ${messageBytesMax}; chunk it, or store it and send a reference`,
      { details: { bytes, bytesMax: messageBytesMax, topic: this.#topic.name } },
    )
  }
}
