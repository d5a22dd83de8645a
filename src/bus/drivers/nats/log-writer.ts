import { partitionOfKey, type Random, UnsupportedError } from '../../../core/index.ts'
import { type Message, type Receipt, satisfies, WriteError, type Writer, type WriterOptions } from '../../index.ts'
import { MessageChecker, WriteGate } from '../../kit/index.ts'
import type { AckInbox } from './ack-inbox.ts'
import type { Connection } from './connection.ts'
import { Lane, type LaneOutcome } from './lane.ts'
import { checkDurability, type LogTopic } from './log-topic.ts'
import { MessageEncoder } from './message-codec.ts'
import { keyToken } from './names.ts'
import type { OutgoingMessage } from './publishing.ts'
import { checkHeaders, tooLargeForServer } from './too-large.ts'

const PENDING_BYTES_MAX = 8 * 1024 * 1024
/** What a message counts for beside its value. */
const OVERHEAD_BYTES = 64
const RESEND_WINDOW_MS = 20_000
/** A part of the window, so that the server surely still remembers what is sent again. */
const RESEND_SHARE = 0.75
const NOTHING: readonly never[] = Object.freeze([])
const EMPTY = new Uint8Array(0)

export interface LogWriterParts {
  readonly connection: Connection
  readonly inbox: AckInbox
  readonly random: Random
  readonly options: WriterOptions
  readonly onClosed: () => void
}

/** Writes into the streams of a topic: one lane per partition. */
export class LogWriter implements Writer {
  readonly #topic: LogTopic
  readonly #parts: LogWriterParts
  readonly #gate: WriteGate
  readonly #checker: MessageChecker
  readonly #encoder = new MessageEncoder()
  readonly #lanes: readonly Lane[]
  readonly #prefixes: readonly string[]
  readonly #id: string
  #count = 0

  constructor(topic: LogTopic, parts: LogWriterParts) {
    const { settings, names } = topic
    const { options, connection, inbox, random } = parts
    this.#topic = topic
    this.#parts = parts
    this.#gate = new WriteGate(`the writer of "${settings.name}"`, options.pendingBytesMax ?? PENDING_BYTES_MAX)
    this.#checker = new MessageChecker(settings)
    this.#id = connection.newId()
    if (options.durability !== undefined) checkDurability(topic, options.durability)
    const resendWithinMs = RESEND_SHARE * (settings.deduplicationWindowMs || RESEND_WINDOW_MS)
    const partitions = Array.from({ length: settings.partitions }, (_, index) => index)
    this.#lanes = partitions.map(
      () => new Lane({ connection, inbox, random, resendWithinMs, takesBatches: topic.takesBatches }),
    )
    this.#prefixes = partitions.map((partition) => names.prefix(partition))
  }

  get full(): boolean {
    return this.#gate.full
  }

  write(batch: readonly Message[]): Promise<Receipt> {
    const refusal = this.#gate.refusal()
    if (refusal !== undefined) return Promise.reject(refusal)
    try {
      return this.#write(batch)
    } catch (error) {
      return Promise.reject(error)
    }
  }

  async #write(batch: readonly Message[]): Promise<Receipt> {
    const shares = this.#encode(batch)
    let bytes = 0
    for (const { messages } of shares) for (const { payload } of messages) bytes += payload.byteLength + OVERHEAD_BYTES
    this.#gate.enter(bytes)
    try {
      const outcomes = await Promise.all(
        shares.map(({ partition, messages }) => this.#lanes[partition]!.write(messages)),
      )
      return this.#settle(batch, shares, outcomes)
    } finally {
      this.#gate.leave(bytes)
    }
  }

  /** By partition. Throws before anything of the batch is on its way. */
  #encode(batch: readonly Message[]): Share[] {
    const nowMs = this.#parts.connection.clock.nowMs()
    const shares = new Map<number, Share>()
    for (const [index, message] of batch.entries()) {
      this.#checker.check(message, index)
      const partition = partitionOfKey(message.key ?? message.subject, this.#lanes.length)
      const outgoing = this.#outgoing(message, { partition, nowMs, index })
      const share = shares.get(partition)
      if (share === undefined) shares.set(partition, { partition, messages: [outgoing], indexes: [index] })
      else {
        share.messages.push(outgoing)
        share.indexes.push(index)
      }
    }
    return [...shares.values()]
  }

  #outgoing(
    message: Message,
    at: { readonly partition: number; readonly nowMs: number; readonly index: number },
  ): OutgoingMessage {
    const { settings, features } = this.#topic
    const { value, subject, key, id } = message
    const userId = settings.deduplicationWindowMs > 0 ? id : undefined
    const isCompacted = settings.compaction !== undefined
    const headers = this.#encoder.headersOf(message, {
      nowMs: at.nowMs,
      messageId: userId ?? this.#nextId(),
      serverTtlSeconds: this.#serverTtl(message),
      subject: isCompacted ? subject : undefined,
    })
    if (message.ttlMs !== undefined && !features.messageTtl) {
      throw new UnsupportedError('ttl', 'the server is older than 2.11 and knows no time to live of single messages')
    }
    checkHeaders(settings.name, at.index, headers)
    // The caller may use its buffer again.
    const payload = value === null ? EMPTY : typeof value === 'string' ? Buffer.from(value) : value.slice()
    const { payloadBytesMax } = this.#parts.connection
    if (payload.byteLength + headers.byteLength > payloadBytesMax) {
      throw tooLargeForServer(settings.name, { index: at.index, payload, headers, payloadBytesMax })
    }
    const place = isCompacted ? keyToken(key ?? subject) : subject
    return { subject: this.#prefixes[at.partition]! + place, headers, payload, userId }
  }

  #nextId(): string {
    return `${this.#id}-${(this.#count++).toString(36)}`
  }

  /** In whole seconds, never shorter than asked; tombstones live as long as the compaction says. */
  #serverTtl({ value, ttlMs }: Message): number | undefined {
    const { settings, features } = this.#topic
    if (!features.messageTtl) return undefined
    const tombstoneMs = value === null ? settings.compaction?.tombstoneMs : undefined
    const livesMs = ttlMs ?? settings.ttlMs ?? tombstoneMs
    return livesMs === undefined ? undefined : Math.max(1, Math.ceil(livesMs / 1_000))
  }

  #settle(batch: readonly Message[], shares: readonly Share[], outcomes: readonly LaneOutcome[]): Receipt {
    if (outcomes.some(({ cause }) => cause !== undefined)) throw this.#writeError(batch, shares, outcomes)
    const duplicates: number[] = []
    const positions = outcomes.map((outcome, at) => {
      const { partition, indexes } = shares[at]!
      for (const index of outcome.duplicates) duplicates.push(indexes[index]!)
      return { partition, sequence: outcome.lastSequence! - 1 }
    })
    duplicates.sort((one, other) => one - other)
    const { level, asserted } = this.#topic.durability
    return {
      positions,
      accepted: batch.length - duplicates.length,
      duplicates: duplicates.length === 0 ? NOTHING : duplicates,
      conflated: NOTHING,
      durability: level,
      asserted: asserted && satisfies(level, 'durable'),
    }
  }

  #writeError(batch: readonly Message[], shares: readonly Share[], outcomes: readonly LaneOutcome[]): WriteError {
    const [accepted, unknown]: [number[], number[]] = [[], []]
    for (const [at, { indexes }] of shares.entries()) {
      const outcome = outcomes[at]!
      for (const index of [...outcome.stored, ...outcome.duplicates]) accepted.push(indexes[index]!)
      for (const index of outcome.unknown) unknown.push(indexes[index]!)
    }
    const { cause } = outcomes.find((outcome) => outcome.cause !== undefined)!
    const ascending = (one: number, other: number) => one - other
    return new WriteError(
      `Cannot store ${batch.length - accepted.length} of ${batch.length} messages in "${this.#topic.settings.name}": ${cause!.message}`,
      { accepted: accepted.sort(ascending), unknown: unknown.sort(ascending), cause, retryable: cause!.retryable },
    )
  }

  drained(options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    return this.#gate.wait('room', options.signal)
  }

  async drain(): Promise<void> {
    this.#stop()
    await this.#gate.wait('empty')
  }

  async close(): Promise<void> {
    this.#stop()
    for (const lane of this.#lanes) lane.close()
  }

  #stop(): void {
    if (this.#gate.isClosed) return
    this.#gate.close()
    this.#parts.onClosed()
  }
}

interface Share {
  readonly partition: number
  readonly messages: OutgoingMessage[]
  readonly indexes: number[]
}
