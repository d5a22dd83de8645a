import type { Delivery, Headers, Message, Position } from '../../index.ts'

const NO_HEADERS: Headers = Object.freeze({})

/** A message on its way through an ephemeral topic: the writer's own object, seen as a delivery. */
export class EphemeralDelivery implements Delivery {
  readonly topic: string
  readonly attempt = 1
  readonly appendedAtMs: number
  readonly #message: Message
  readonly #sequence: number

  constructor(
    message: Message,
    at: { readonly topic: string; readonly sequence: number; readonly appendedAtMs: number },
  ) {
    this.topic = at.topic
    this.appendedAtMs = at.appendedAtMs
    // The writer may use its buffer again.
    this.#message = message.value instanceof Uint8Array ? { ...message, value: message.value.slice() } : message
    this.#sequence = at.sequence
  }

  get position(): Position {
    return { partition: 0, sequence: this.#sequence }
  }

  get subject(): string {
    return this.#message.subject
  }

  get key(): string | undefined {
    return this.#message.key
  }

  get value(): Uint8Array | null {
    const { value } = this.#message
    return typeof value === 'string' ? Buffer.from(value) : value
  }

  text(): string {
    const { value } = this.#message
    if (value === null) return ''
    return typeof value === 'string' ? value : Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString()
  }

  get headers(): Headers {
    return this.#message.headers ?? NO_HEADERS
  }

  get id(): string | undefined {
    return this.#message.id
  }

  get timestampMs(): number {
    return this.#message.timestampMs ?? this.appendedAtMs
  }

  isExpired(nowMs: number, topicTtlMs: number | undefined): boolean {
    const ttlMs = this.#message.ttlMs ?? topicTtlMs
    return ttlMs !== undefined && this.appendedAtMs + ttlMs <= nowMs
  }

  /** What it counts for in a reader's buffer. */
  get byteLength(): number {
    const { value, subject } = this.#message
    const size = value === null ? 0 : typeof value === 'string' ? value.length : value.byteLength
    return OVERHEAD_BYTES + subject.length + size
  }
}

const OVERHEAD_BYTES = 64
