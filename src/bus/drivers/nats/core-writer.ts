import { UnsupportedError } from '../../../core/index.ts'
import type { Message, Receipt, Writer, WriterOptions } from '../../index.ts'
import { MessageChecker, WriteGate } from '../../kit/index.ts'
import type { Connection } from './connection.ts'
import type { CoreTopic } from './core-topic.ts'
import { type EncodedHeaders, MessageEncoder } from './message-codec.ts'
import { tooLargeForServer } from './too-large.ts'

const PENDING_BYTES_MAX = 8 * 1024 * 1024
const OVERHEAD_BYTES = 64
const EMPTY = new Uint8Array(0)
const NOTHING: readonly never[] = Object.freeze([])

export interface CoreWriterParts {
  readonly connection: Connection
  readonly options: WriterOptions
  readonly onClosed: () => void
}

/** Hands messages to the connection. What the server has not yet taken counts as pending, so that memory is bounded. */
export class CoreWriter implements Writer {
  readonly #topic: CoreTopic
  readonly #connection: Connection
  readonly #gate: WriteGate
  readonly #checker: MessageChecker
  readonly #encoder = new MessageEncoder()
  readonly #onClosed: () => void
  #unflushedBytes = 0
  #isFlushing = false
  #sequence = 0

  constructor(topic: CoreTopic, parts: CoreWriterParts) {
    const { name } = topic.settings
    const { durability = 'none', pendingBytesMax = PENDING_BYTES_MAX } = parts.options
    if (durability !== 'none') {
      throw new UnsupportedError(`durability "${durability}" on ephemeral topic "${name}"`, 'core NATS stores nothing')
    }
    this.#topic = topic
    this.#connection = parts.connection
    this.#gate = new WriteGate(`the writer of "${name}"`, pendingBytesMax)
    this.#checker = new MessageChecker(topic.settings)
    this.#onClosed = parts.onClosed
  }

  get full(): boolean {
    return this.#gate.full
  }

  write(batch: readonly Message[]): Promise<Receipt> {
    const refusal = this.#gate.refusal()
    if (refusal !== undefined) return Promise.reject(refusal)
    try {
      return Promise.resolve(this.#write(batch))
    } catch (error) {
      return Promise.reject(error)
    }
  }

  #write(batch: readonly Message[]): Receipt {
    const nowMs = this.#connection.clock.nowMs()
    const encoded = batch.map((message, index) => {
      this.#checker.check(message, index)
      return this.#encode(message, nowMs, index)
    })
    let bytes = 0
    for (const [index, { headers, payload }] of encoded.entries()) {
      this.#connection.publish(batch[index]!.subject, payload, { headers })
      bytes += payload.byteLength + headers.byteLength + OVERHEAD_BYTES
    }
    this.#sequence += batch.length
    this.#gate.enter(bytes)
    this.#unflushedBytes += bytes
    if (!this.#isFlushing) void this.#flush()
    const positions = [{ partition: 0, sequence: this.#sequence - 1 }]
    return {
      positions,
      accepted: batch.length,
      duplicates: NOTHING,
      conflated: NOTHING,
      durability: 'none',
      asserted: false,
    }
  }

  #encode(message: Message, nowMs: number, index: number): { headers: EncodedHeaders; payload: Uint8Array } {
    const { value } = message
    const headers = this.#encoder.headersOf(message, { nowMs })
    const payload = value === null ? EMPTY : typeof value === 'string' ? Buffer.from(value) : value.slice()
    const { payloadBytesMax } = this.#connection
    if (payload.byteLength + headers.byteLength > payloadBytesMax) {
      throw tooLargeForServer(this.#topic.settings.name, { index, payload, headers, payloadBytesMax })
    }
    return { headers, payload }
  }

  /** One question to the server for everything handed over meanwhile. A broken connection has lost it: nothing waits. */
  async #flush(): Promise<void> {
    this.#isFlushing = true
    while (this.#unflushedBytes > 0) {
      const bytes = this.#unflushedBytes
      this.#unflushedBytes = 0
      await this.#connection.flush().catch(() => {})
      this.#gate.leave(bytes)
    }
    this.#isFlushing = false
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
  }

  #stop(): void {
    if (this.#gate.isClosed) return
    this.#gate.close()
    this.#onClosed()
  }
}
