import type { Delivery, Headers, Position } from '../../index.ts'
import type { HeaderDecoder } from './header-decoder.ts'
import type { DecodedHeaders } from './message-codec.ts'
import type { StoredMessage } from './stored-message.ts'

/** What the deliveries of one partition share. */
export interface DeliverySource {
  readonly topic: string
  readonly partition: number
  /** Before the message's own subject in the stream. */
  readonly prefixLength: number
  readonly ttlMs: number | undefined
  readonly headers: HeaderDecoder
}

/** A message as JetStream gave it: its headers are decoded when first asked for. */
export class NatsDelivery implements Delivery {
  attempt = 1
  /** Of the assignment it was given under. */
  generation = 1
  readonly #source: DeliverySource
  readonly #stored: StoredMessage
  #decoded: DecodedHeaders | undefined

  constructor(source: DeliverySource, stored: StoredMessage) {
    this.#source = source
    this.#stored = stored
  }

  get topic(): string {
    return this.#source.topic
  }

  get offset(): number {
    return this.#stored.sequence - 1
  }

  get position(): Position {
    return { partition: this.#source.partition, sequence: this.offset }
  }

  get #headers(): DecodedHeaders {
    this.#decoded ??= this.#source.headers.decode(this.#stored.message)
    return this.#decoded
  }

  get subject(): string {
    const { subject, message } = this.#stored
    return this.#headers.subject ?? (subject ?? message.subject).slice(this.#source.prefixLength)
  }

  get key(): string | undefined {
    return this.#headers.key
  }

  /** Later messages of the same wait behind one that failed. */
  get orderKey(): string {
    return this.key ?? this.subject
  }

  get value(): Uint8Array | null {
    return this.#headers.isTombstone ? null : this.#stored.message.data
  }

  text(): string {
    return this.#stored.message.string()
  }

  get headers(): Headers {
    return this.#headers.headers
  }

  get id(): string | undefined {
    return this.#headers.headers.id
  }

  get timestampMs(): number {
    return this.#headers.timestampMs ?? this.appendedAtMs
  }

  get appendedAtMs(): number {
    return this.#stored.appendedAtMs
  }

  get byteLength(): number {
    return this.#stored.byteLength
  }

  /** A message's own time to live counts before its topic's. */
  isExpired(serverNowMs: number): boolean {
    const livesMs = this.#headers.ttlMs ?? this.#source.ttlMs
    return livesMs !== undefined && this.appendedAtMs + livesMs <= serverNowMs
  }
}
