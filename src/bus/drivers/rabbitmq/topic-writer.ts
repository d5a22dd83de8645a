import { type Clock, ClosedError, partitionOfKey, UnsupportedError } from '../../../core/index.ts'
import { type Intent, type Message, type Receipt, satisfies, type Writer, type WriterOptions } from '../../index.ts'
import { MessageChecker, WriteGate } from '../../kit/index.ts'
import { ConfirmWindow } from './confirm-window.ts'
import { byteLengthOf, encodeMessage, type Outgoing } from './envelope.ts'
import type { Link } from './link.ts'
import { BatchEntry, type Grant, PendingBatch } from './pending-batch.ts'
import type { OpenTopic } from './topics.ts'

const PENDING_BYTES_MAX = 8 * 1024 * 1024

export interface TopicWriterParts {
  readonly topic: OpenTopic | Promise<OpenTopic>
  readonly name: string
  readonly options: WriterOptions
  readonly clock: Clock
  /** Names this writer among all: readers know its repeats by it. */
  readonly producer: string
  /** Commands have a connection of their own. */
  readonly link: (intent: Intent) => Link
  readonly exchange: string
  /** The log of a partition. */
  readonly stream: (partition: number) => string
  readonly onClosed: () => void
}

interface Begun {
  readonly topic: OpenTopic
  readonly checker: MessageChecker
  readonly grant: Grant
  /** By partition: each stream has one. What is not kept has one for all. */
  readonly windows: Array<ConfirmWindow | undefined>
}

/** Writes into a topic, however it is kept: a confirm of the broker for each message, a promise per batch. */
export class TopicWriter implements Writer {
  readonly #parts: TopicWriterParts
  readonly #gate: WriteGate
  #sequence = 0
  #begun: Begun | undefined

  constructor(parts: TopicWriterParts) {
    this.#parts = parts
    this.#gate = new WriteGate(`the writer of "${parts.name}"`, parts.options.pendingBytesMax ?? PENDING_BYTES_MAX)
    if (parts.topic instanceof Promise) parts.topic.catch(() => {})
    else this.#begin(parts.topic)
  }

  #begin(topic: OpenTopic): Begun {
    this.#begun ??= {
      topic,
      checker: new MessageChecker(topic.settings),
      grant: grantOf(topic, this.#parts.options),
      windows: [],
    }
    return this.#begun
  }

  #windowOf({ topic, windows }: Begun, partition: number): ConfirmWindow {
    const isLog = topic.keeping === 'log'
    const index = isLog ? partition : 0
    windows[index] ??= new ConfirmWindow({
      link: this.#parts.link(topic.settings.intent),
      exchange: this.#parts.exchange,
      queue: isLog ? this.#parts.stream(partition) : undefined,
      clock: this.#parts.clock,
    })
    return windows[index]
  }

  get full(): boolean {
    return this.#gate.full
  }

  write(batch: readonly Message[]): Promise<Receipt> {
    const refusal = this.#gate.refusal()
    if (refusal !== undefined) return Promise.reject(refusal)
    if (this.#begun === undefined) return this.#writeLater(batch)
    try {
      return this.#write(this.#begun, batch)
    } catch (error) {
      return Promise.reject(error)
    }
  }

  /** Only before the topic is known: later calls wait behind the same promise, so their order stays. */
  async #writeLater(batch: readonly Message[]): Promise<Receipt> {
    this.#gate.enter(1)
    try {
      const begun = this.#begin(await this.#parts.topic)
      return await this.#write(begun, batch)
    } finally {
      this.#gate.leave(1)
    }
  }

  #write(begun: Begun, batch: readonly Message[]): Promise<Receipt> {
    for (let index = 0; index < batch.length; index += 1) begun.checker.check(batch[index]!, index)
    const sentAtMs = this.#parts.clock.nowMs()
    const encoded = batch.map((message) => this.#encode(message, begun.topic, sentAtMs))
    const bytes = encoded.reduce((sum, outgoing) => sum + byteLengthOf(outgoing), 0)
    const pending = new PendingBatch(batch.length, {
      topic: this.#parts.name,
      grant: begun.grant,
      onSettled: () => this.#gate.leave(bytes),
    })
    for (const [index, outgoing] of encoded.entries()) {
      this.#windowOf(begun, outgoing.partition).push(new BatchEntry(outgoing, pending, index))
    }
    if (batch.length === 0) return Promise.resolve({ ...EMPTY, ...begun.grant })
    this.#gate.enter(bytes)
    for (const window of begun.windows) window?.flush()
    return pending.receipt
  }

  #encode(message: Message, topic: OpenTopic, sentAtMs: number): Outgoing {
    const { partitions, ttlMs } = topic.settings
    this.#sequence += 1
    return encodeMessage(message, {
      partition: partitionOfKey(message.key ?? message.subject, partitions),
      producer: this.#parts.producer,
      sequence: this.#sequence,
      sentAtMs,
      ttlMs,
      keeping: topic.keeping,
    })
  }

  drained(options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    return this.#gate.wait('room', options.signal)
  }

  async drain(): Promise<void> {
    this.#gate.close()
    await this.#gate.wait('empty')
    await this.close()
  }

  async close(): Promise<void> {
    this.#gate.close()
    const error = new ClosedError(`the writer of "${this.#parts.name}"`)
    for (const window of this.#begun?.windows ?? []) window?.close(error)
    this.#parts.onClosed()
  }
}

const EMPTY = { positions: [], accepted: 0, duplicates: [], conflated: [] }

/** What receipts may say. Throws `UnsupportedError` when that is less than asked. */
function grantOf({ settings, capabilities, isAsserted }: OpenTopic, options: WriterOptions): Grant {
  const asked = options.durability ?? settings.durability
  const { durability } = capabilities
  if (satisfies(durability, asked)) return { durability, asserted: isAsserted }
  throw new UnsupportedError(
    `durability "${asked}" on topic "${settings.name}"`,
    `RabbitMQ grants "${durability}" for the way this topic is kept`,
  )
}
