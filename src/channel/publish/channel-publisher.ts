import { createHash } from 'node:crypto'
import type { Headers, Message } from '../../bus/index.ts'
import { type Clock, type Random, SkeinError, UnsupportedError, uuidV7 } from '../../core/index.ts'
import type { ObjectStore } from '../../objects/index.ts'
import { CHUNK_HEADER, formatChunkMark } from '../payload/chunk-header.ts'
import { CLAIM_HEADER, formatClaimMark } from '../payload/claim-header.ts'
import { CHUNKS_MAX, LARGE_PAYLOAD_BYTES_MAX, tooLarge } from '../payload/large-payload-limits.ts'
import type { Admission, AgentIdentity } from '../ports.ts'
import type { AnyChannel } from '../topics-of.ts'
import { Address, type SubjectFields } from './address.ts'
import type { Gate } from './gate.ts'
import type { PublishReceipt } from './publish-receipt.ts'

/** Left of a message's limit for subject, key and headers when a large value is cut into chunks. */
const CHUNK_MARGIN_BYTES = 4_096
const CHUNK_BYTES_MIN = 512

export interface PublishOptions {
  /** For fields of the pattern that neither the identity nor the value has. */
  readonly fields?: SubjectFields
  /** When it happened, ms since 1970-01-01 UTC. Default: now. */
  readonly timestampMs?: number
  /** After this long no reader is given it any more. Default: the topic's. */
  readonly ttlMs?: number
  /** Trace context, as W3C writes it. */
  readonly traceparent?: string
  /** Unique per message: a repeat within the topic's window is not stored again. Default for events: a UUIDv7. */
  readonly id?: string
}

/** Takes encoded messages in order: a topic's publisher, or one that conflates before it. */
export interface MessageSink {
  add(message: Message, valueBytes: number): Promise<PublishReceipt>
  ready(): Promise<void>
}

export interface ChannelPublisherOptions {
  readonly channel: AnyChannel
  readonly identity: AgentIdentity | undefined
  readonly headers: Headers
  readonly sink: MessageSink
  /** Shared by all channels of the topic under this identity, because order spans them. */
  readonly gate: Gate
  readonly clock: Clock
  readonly random: Random
  readonly principal: string | undefined
  readonly admission: Admission | undefined
  readonly objects: ObjectStore | undefined
  readonly messageBytesMax: number
}

/** A promise wrapped, so that awaiting the handing over does not await the receipt. */
interface HandedOver {
  readonly receipt: Promise<PublishReceipt>
}

/** Checks, encodes, addresses and admits the values of one channel under one identity. */
export class ChannelPublisher {
  readonly #options: ChannelPublisherOptions
  readonly #channel: AnyChannel
  readonly #address: Address
  readonly #sink: MessageSink
  readonly #gate: Gate
  readonly #admission: Admission | undefined
  readonly #hasId: boolean
  readonly #messageBytesMax: number

  constructor(options: ChannelPublisherOptions) {
    this.#options = options
    this.#channel = options.channel
    this.#address = new Address(options.channel, options.identity)
    this.#sink = options.sink
    this.#gate = options.gate
    this.#admission = options.admission
    this.#hasId = options.channel.intent === 'event'
    this.#messageBytesMax = options.messageBytesMax
  }

  /** Rejects, before the bus, with `schema-mismatch`, `bad-subject`, `message-too-large`, `quota-exceeded`. */
  publish(value: unknown, options?: PublishOptions): Promise<PublishReceipt> {
    try {
      const encoded = this.#channel.value.encode(value)
      this.#address.resolve(value, options?.fields)
      return this.#send(encoded, options)
    } catch (error) {
      return Promise.reject(error)
    }
  }

  /** A tombstone: on a compacted topic it deletes the key that these fields name. */
  erase(fields: SubjectFields, options?: PublishOptions): Promise<PublishReceipt> {
    try {
      this.#address.resolve(fields, undefined)
      return this.#send(null, options)
    } catch (error) {
      return Promise.reject(error)
    }
  }

  #send(encoded: string | Uint8Array | null, options: PublishOptions | undefined): Promise<PublishReceipt> {
    const bytes = encodedBytes(encoded, this.#messageBytesMax)
    const isLarge = bytes > this.#messageBytesMax
    if (isLarge) this.#checkLarge(bytes)
    const message: Message = {
      subject: this.#address.subject,
      key: this.#address.key,
      value: encoded,
      headers: this.#headers(options),
      id: this.#idOf(options),
      timestampMs: options?.timestampMs,
      ttlMs: options?.ttlMs,
    }
    if (this.#gate.isOpen && !isLarge) {
      const wait = this.#admit(bytes)
      if (wait === undefined) return this.#sink.add(message, bytes)
      return this.#hold(bytes, () => wait.then(() => ({ receipt: this.#sink.add(message, bytes) })))
    }
    return this.#hold(bytes, () => this.#sendInTurn(message, bytes))
  }

  async #hold(bytes: number, work: () => Promise<HandedOver>): Promise<PublishReceipt> {
    const { receipt } = await this.#gate.hold(bytes, work)
    return receipt
  }

  async #sendInTurn(message: Message, bytes: number): Promise<HandedOver> {
    await this.#admit(bytes)
    if (bytes <= this.#messageBytesMax) return { receipt: this.#sink.add(message, bytes) }
    return this.#channel.largePayloads === 'chunk' ? this.#sendChunks(message) : this.#sendClaim(message)
  }

  #admit(bytes: number): Promise<void> | undefined {
    if (this.#admission === undefined) return undefined
    const { principal, identity } = this.#options
    return this.#admission.admit({ principal, agent: identity?.id, topic: this.#channel.topic, messages: 1, bytes })
  }

  #headers(options: PublishOptions | undefined): Headers {
    const { headers } = this.#options
    return options?.traceparent === undefined ? headers : { ...headers, traceparent: options.traceparent }
  }

  #idOf(options: PublishOptions | undefined): string | undefined {
    const id = options?.id
    if (id === undefined) return this.#hasId ? this.#newId() : undefined
    if (typeof id === 'string' && id.isWellFormed()) return id
    // As UTF-8 all halves of surrogate pairs are the same: of two messages one would be taken for a repeat.
    const { pattern } = this.#channel.subject
    throw new SkeinError('bad-argument', `Cannot publish on "${pattern}": its id must be text of whole characters`)
  }

  #newId(): string {
    return uuidV7(this.#options.clock, this.#options.random)
  }

  get #chunkBytes(): number {
    return Math.max(CHUNK_BYTES_MIN, this.#messageBytesMax - CHUNK_MARGIN_BYTES)
  }

  #checkLarge(bytes: number): void {
    const { topic, largePayloads } = this.#channel
    if (largePayloads === 'refuse') throw tooLarge(topic, bytes, this.#messageBytesMax)
    const chunkable = largePayloads === 'chunk' ? this.#chunkBytes * CHUNKS_MAX : Number.POSITIVE_INFINITY
    const bytesMax = Math.min(LARGE_PAYLOAD_BYTES_MAX, chunkable)
    if (bytes > bytesMax) throw tooLarge(topic, bytes, bytesMax)
    if (largePayloads === 'claim-check' && this.#options.objects === undefined) {
      throw new UnsupportedError('claim checks', `no object store is bound, and ${topic} asks for one`)
    }
  }

  /** All chunks in a row; the receipt is the last one's, given once all are stored. */
  async #sendChunks(message: Message): Promise<HandedOver> {
    const bytes = asBytes(message.value)
    const size = this.#chunkBytes
    const count = Math.ceil(bytes.byteLength / size)
    const set = message.id ?? this.#newId()
    const receipts: Array<Promise<PublishReceipt>> = []
    for (let index = 0; index < count; index += 1) {
      await this.#sink.ready()
      const value = bytes.subarray(index * size, (index + 1) * size)
      const mark = formatChunkMark({ set, index, count, bytes: bytes.byteLength })
      const headers = { ...message.headers, [CHUNK_HEADER]: mark }
      const id = message.id === undefined ? undefined : `${message.id}#${index}`
      receipts.push(this.#sink.add({ ...message, value, headers, id }, value.byteLength))
    }
    const receipt = Promise.all(receipts).then((all) => all.at(-1)!)
    receipt.catch(() => undefined)
    return { receipt }
  }

  async #sendClaim(message: Message): Promise<HandedOver> {
    const bytes = asBytes(message.value)
    const sha256 = createHash('sha256').update(bytes).digest('hex')
    const name = `claims/${this.#channel.topic}/${this.#newId()}`
    await this.#options.objects!.put(name, bytes)
    const mark = formatClaimMark({ name, bytes: bytes.byteLength, sha256 })
    const headers = { ...message.headers, [CLAIM_HEADER]: mark }
    return { receipt: this.#sink.add({ ...message, value: '', headers }, 0) }
  }
}

/** Exact only near the limit: UTF-8 has at most three bytes for each UTF-16 unit, and at least one. */
function encodedBytes(encoded: string | Uint8Array | null, bytesMax: number): number {
  if (encoded === null) return 0
  if (typeof encoded !== 'string') return encoded.byteLength
  return encoded.length * 3 <= bytesMax ? encoded.length : Buffer.byteLength(encoded)
}

function asBytes(value: string | Uint8Array | null): Uint8Array {
  return typeof value === 'string' ? Buffer.from(value) : (value ?? new Uint8Array(0))
}
