import { type Clock, ClosedError, SkeinError } from '../../../core/index.ts'
import type { Message, Receipt, Writer, WriterOptions } from '../../index.ts'
import { abortable } from './abortable.ts'
import { BatchEncoder, type EncodedSection } from './batch-encoder.ts'
import { PendingBatch } from './pending-batch.ts'
import type { Section } from './section.ts'
import type { TopicInfo } from './topic-info.ts'
import type { WriteLane } from './write-lane.ts'

export interface RemoteWriterOptions extends WriterOptions {
  readonly clock: Clock
  /** At random, below 2^48: the node knows by it what it has stored already. */
  readonly producerId: number
  readonly topic: TopicInfo | Promise<TopicInfo>
  readonly lane: (topic: TopicInfo) => WriteLane
  readonly onClosed: (writer: RemoteWriter) => void
}

const PENDING_BYTES_MAX = 8 * 1024 * 1024

interface Open {
  readonly topic: TopicInfo
  readonly encoder: BatchEncoder
  readonly lane: WriteLane
  readonly sequences: number[]
}

/** Writes one topic through a node: encoded here, stored there as it is. */
export class RemoteWriter implements Writer {
  readonly #options: RemoteWriterOptions
  readonly #pendingBytesMax: number
  readonly #sections = new Set<Section>()
  #open: Open | undefined
  #opening = 0
  #pendingBytes = 0
  #state: 'open' | 'draining' | 'closed' = 'open'
  #relieved: PromiseWithResolvers<void> | undefined
  #emptied: PromiseWithResolvers<void> | undefined

  constructor(options: RemoteWriterOptions) {
    this.#options = options
    this.#pendingBytesMax = options.pendingBytesMax ?? PENDING_BYTES_MAX
    if (!(options.topic instanceof Promise)) this.#begin(options.topic)
  }

  get full(): boolean {
    return this.#pendingBytes >= this.#pendingBytesMax
  }

  write(batch: readonly Message[]): Promise<Receipt> {
    if (this.#state !== 'open') return Promise.reject(new ClosedError('this writer'))
    if (this.full) return Promise.reject(overloaded(this.#pendingBytesMax))
    if (this.#open !== undefined) return this.#write(this.#open, batch)
    return this.#writeLater(batch)
  }

  async drained(options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    const { signal } = options
    signal?.throwIfAborted()
    while (this.full) {
      if (this.#state === 'closed') throw new ClosedError('this writer')
      this.#relieved ??= Promise.withResolvers<void>()
      await abortable(this.#relieved.promise, signal)
    }
  }

  async drain(): Promise<void> {
    if (this.#state === 'open') this.#state = 'draining'
    if (this.#sections.size > 0 || this.#opening > 0) {
      this.#emptied ??= Promise.withResolvers<void>()
      await this.#emptied.promise
    }
    this.#finish()
  }

  async close(): Promise<void> {
    if (this.#state === 'closed') return
    this.#state = 'closed'
    this.#open?.lane.fail(new ClosedError('this writer'), (section) => this.#sections.has(section))
    this.#finish()
  }

  #finish(): void {
    this.#state = 'closed'
    this.#relieved?.resolve()
    this.#emptied?.resolve()
    this.#options.onClosed(this)
  }

  #begin(topic: TopicInfo): Open {
    this.#open ??= {
      topic,
      encoder: new BatchEncoder(topic, this.#options.clock),
      lane: this.#options.lane(topic),
      sequences: new Array<number>(topic.partitions).fill(0),
    }
    return this.#open
  }

  /** Only before the topic is known: later calls wait behind the same promise, so their order stays. */
  async #writeLater(batch: readonly Message[]): Promise<Receipt> {
    this.#opening += 1
    try {
      const open = this.#begin(await this.#options.topic)
      if (this.#state === 'closed') throw new ClosedError('this writer')
      return await this.#write(open, batch)
    } finally {
      this.#opening -= 1
      this.#announce()
    }
  }

  #write(open: Open, batch: readonly Message[]): Promise<Receipt> {
    let encoded: readonly EncodedSection[]
    try {
      encoded = open.encoder.encode(batch)
    } catch (error) {
      return Promise.reject(error)
    }
    if (encoded.length === 0) return Promise.resolve(nothing(open.topic))
    const pending = new PendingBatch(batch, {
      sections: encoded.length,
      partitionOf: (message) => open.encoder.partitionOf(message),
    })
    const sections = encoded.map((part) => this.#section(open, part, pending))
    for (const section of sections) {
      this.#sections.add(section)
      this.#pendingBytes += section.byteLength
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
      wasSent: false,
      onStored: (answer) => {
        this.#settle(section)
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
    this.#pendingBytes -= section.byteLength
    this.#announce()
  }

  #announce(): void {
    if (!this.full) {
      this.#relieved?.resolve()
      this.#relieved = undefined
    }
    if (this.#sections.size === 0 && this.#opening === 0) this.#emptied?.resolve()
  }
}

function nothing(topic: TopicInfo): Receipt {
  const { durability } = topic.capabilities
  return { positions: [], accepted: 0, duplicates: [], conflated: [], durability, asserted: false }
}

function overloaded(bytesMax: number): SkeinError {
  return new SkeinError('overloaded', `Cannot write: ${bytesMax} bytes wait already; await drained() first`, {
    retryable: true,
    details: { bytesMax },
  })
}
