import { type BufferPool, type Clock, ClosedError } from '../../../core/index.ts'
import type { Precedence } from '../../../wire/index.ts'
import type { Message, Receipt, Writer, WriterOptions } from '../../index.ts'
import { WriteGate } from '../../kit/index.ts'
import { BatchEncoder, type EncodedSection } from './batch-encoder.ts'
import { PendingBatch } from './pending-batch.ts'
import type { Section } from './section.ts'
import type { TopicInfo } from './topic-info.ts'
import type { WriteLane } from './write-lane.ts'

export interface RemoteWriterOptions extends WriterOptions {
  readonly clock: Clock
  /** Memory for encoded batches; it comes back when they are stored. */
  readonly pool: BufferPool
  readonly precedence: Precedence
  /** At random, below 2^48: the node knows by it what it has stored already. */
  readonly producerId: number
  readonly topic: TopicInfo | Promise<TopicInfo>
  readonly lane: (topic: TopicInfo) => WriteLane
  readonly onClosed: (writer: RemoteWriter) => void
}

const PENDING_BYTES_MAX = 8 * 1024 * 1024

/** Of a message beside what it carries. */
const MESSAGE_BYTES = 64

interface Open {
  readonly topic: TopicInfo
  readonly encoder: BatchEncoder
  readonly lane: WriteLane
  readonly sequences: number[]
}

/** Writes one topic through a node: encoded here, stored there as it is. */
export class RemoteWriter implements Writer {
  readonly #options: RemoteWriterOptions
  readonly #gate: WriteGate
  readonly #sections = new Set<Section>()
  #open: Open | undefined

  constructor(options: RemoteWriterOptions) {
    this.#options = options
    this.#gate = new WriteGate('this writer', options.pendingBytesMax ?? PENDING_BYTES_MAX)
    if (options.topic instanceof Promise) options.topic.catch(() => {})
    else this.#begin(options.topic)
  }

  get full(): boolean {
    return this.#gate.full
  }

  write(batch: readonly Message[]): Promise<Receipt> {
    const refusal = this.#gate.refusal()
    if (refusal !== undefined) return Promise.reject(refusal)
    if (this.#open !== undefined) return this.#write(this.#open, batch)
    return this.#writeLater(batch)
  }

  drained(options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    return this.#gate.wait('room', options.signal)
  }

  async drain(): Promise<void> {
    this.#gate.close()
    await this.#gate.wait('empty')
    this.#options.onClosed(this)
  }

  async close(): Promise<void> {
    this.#gate.close()
    this.#open?.lane.fail(new ClosedError('this writer'), (section) => this.#sections.has(section))
    this.#options.onClosed(this)
  }

  #begin(topic: TopicInfo): Open {
    this.#open ??= {
      topic,
      encoder: new BatchEncoder(topic, this.#options),
      lane: this.#options.lane(topic),
      sequences: new Array<number>(topic.partitions).fill(0),
    }
    return this.#open
  }

  /** Only before the topic is known: later calls wait behind the same promise, so their order stays. */
  async #writeLater(batch: readonly Message[]): Promise<Receipt> {
    const bytes = heldBytes(batch)
    this.#gate.enter(bytes)
    let receipt: Promise<Receipt>
    try {
      const open = this.#begin(await this.#options.topic)
      receipt = this.#write(open, batch)
    } finally {
      // Encoded, it counts by its sections.
      this.#gate.leave(bytes)
    }
    return receipt
  }

  #write(open: Open, batch: readonly Message[]): Promise<Receipt> {
    let encoded: readonly EncodedSection[]
    try {
      encoded = open.encoder.encode(batch)
    } catch (error) {
      return Promise.reject(error)
    }
    if (encoded.length === 0) return Promise.resolve(nothing(open.topic))
    const pending = new PendingBatch({ messages: batch.length, sections: encoded.length })
    const sections = encoded.map((part) => this.#section(open, part, pending))
    for (const section of sections) {
      this.#sections.add(section)
      this.#gate.enter(section.byteLength)
    }
    for (const section of sections) open.lane.push(section)
    return pending.receipt
  }

  #section(open: Open, part: EncodedSection, pending: PendingBatch): Section {
    const { partition, records } = part
    const sequence = open.sequences[partition]!
    open.sequences[partition] = sequence + 1
    const section: Section = {
      head: {
        topic: open.topic.name,
        partition,
        producerId: this.#options.producerId,
        sequence,
        firstTimestampMs: records.firstTimestampMs,
        durability: this.#options.durability,
        principal: this.#options.principal,
      },
      body: records.parts,
      byteLength: records.byteLength,
      isRepeatable: !open.topic.isEphemeral,
      wasSent: false,
      onStored: (answer) => {
        this.#settle(section)
        // The node has answered for it, so all of it has left.
        if (records.memory !== undefined) this.#options.pool.give(records.memory)
        pending.onStored(part, answer)
      },
      onFailed: (error, mayBeStored) => {
        this.#settle(section)
        pending.onFailed(part, error, mayBeStored)
      },
    }
    return section
  }

  #settle(section: Section): void {
    this.#sections.delete(section)
    this.#gate.leave(section.byteLength)
  }
}

/** Roughly what a batch takes before it is encoded; never nothing, so that `drain()` waits for it. */
function heldBytes(batch: readonly Message[]): number {
  let bytes = 1
  for (const { value, subject } of batch) bytes += MESSAGE_BYTES + subject.length + (value?.length ?? 0)
  return bytes
}

function nothing(topic: TopicInfo): Receipt {
  const { durability } = topic.capabilities
  return { positions: [], accepted: 0, duplicates: [], conflated: [], durability, asserted: false }
}
