import { type Message, WriteError, type Writer } from '../../bus/index.ts'
import { type Clock, ClosedError, SkeinError } from '../../core/index.ts'
import { GatheredBatch } from './gathered-batch.ts'
import type { PublishReceipt } from './publish-receipt.ts'

/** With what each message takes beside its value, one body of what drivers store and send at once. */
const BATCH_BYTES_MAX = 192 * 1024
const BATCH_MESSAGES_MAX = 4_096
const LINGER_MS = 2
const PENDING_BYTES_MAX = 16 * 1024 * 1024
/** What a message costs beside its value, roughly: it bounds a queue of empty messages, too. */
const MESSAGE_OVERHEAD_BYTES = 64

export interface TopicPublisherOptions {
  readonly topic: string
  readonly writer: Writer
  readonly clock: Clock
  /** Bytes gathered and not yet taken by the writer before `publish` is refused. Default 16 MiB. */
  readonly pendingBytesMax?: number | undefined
}

/**
 * Gathers the messages of one topic, of all its channels and identities, into batches: within a turn while nothing is
 * being written, by size or a short linger while something is. Messages go to the writer in the order of `add`.
 */
export class TopicPublisher {
  readonly #topic: string
  readonly #writer: Writer
  readonly #clock: Clock
  readonly #pendingBytesMax: number
  #open: GatheredBatch | undefined
  /** Sealed, but the writer is full. */
  #waiting: GatheredBatch[] = []
  #pendingBytes = 0
  #inFlight = 0
  #isAwaitingWriter = false
  #isClosed = false
  #onProgress: Array<() => void> = []

  constructor(options: TopicPublisherOptions) {
    this.#topic = options.topic
    this.#writer = options.writer
    this.#clock = options.clock
    this.#pendingBytesMax = options.pendingBytesMax ?? PENDING_BYTES_MAX
  }

  /** No room for a message just now: `ready()` waits for it. */
  get isFull(): boolean {
    return this.#pendingBytes >= this.#pendingBytesMax
  }

  /** The promise of the batch that the message joined. Rejects with `overloaded`, `closed`, `WriteError`. */
  add(message: Message, valueBytes: number): Promise<PublishReceipt> {
    if (this.#isClosed) return Promise.reject(new ClosedError(`the publisher of ${this.#topic}`))
    const bytes = valueBytes + MESSAGE_OVERHEAD_BYTES
    if (this.isFull) return Promise.reject(this.#overloaded())
    const batch = this.#open ?? this.#begin()
    batch.messages.push(message)
    batch.bytes += bytes
    this.#pendingBytes += bytes
    if (batch.bytes >= BATCH_BYTES_MAX || batch.messages.length >= BATCH_MESSAGES_MAX) this.#seal()
    return batch.promise
  }

  /** Resolves when there is room again. */
  async ready(options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    while (this.isFull && !this.#isClosed) {
      options.signal?.throwIfAborted()
      await this.#progress(options.signal)
    }
  }

  /** Resolves when nothing is being written; what is added then starts a batch of its own. */
  async idle(): Promise<void> {
    while (this.#inFlight > 0 || this.#waiting.length > 0) await this.#progress()
  }

  /** Resolves when everything added before is settled. */
  async flush(): Promise<void> {
    this.#seal()
    await this.idle()
  }

  async drain(): Promise<void> {
    await this.flush()
    this.#isClosed = true
    await this.#writer.drain()
  }

  async close(): Promise<void> {
    this.#isClosed = true
    this.#rejectPending(new ClosedError(`the publisher of ${this.#topic}`))
    await this.#writer.close()
  }

  #begin(): GatheredBatch {
    const batch = new GatheredBatch()
    this.#open = batch
    if (this.#inFlight === 0 && this.#waiting.length === 0) queueMicrotask(() => this.#sealIfOpen(batch))
    else batch.linger = this.#clock.setTimer(() => this.#sealIfOpen(batch), LINGER_MS, { keepAlive: true })
    return batch
  }

  #sealIfOpen(batch: GatheredBatch): void {
    if (this.#open === batch) this.#seal()
  }

  #seal(): void {
    const batch = this.#open
    if (batch === undefined) return
    this.#open = undefined
    batch.linger?.cancel()
    this.#waiting.push(batch)
    this.#pump()
  }

  #pump(): void {
    while (this.#waiting.length > 0 && !this.#writer.full) this.#write(this.#waiting.shift()!)
    if (this.#waiting.length > 0 && !this.#isAwaitingWriter) void this.#awaitWriter()
  }

  async #awaitWriter(): Promise<void> {
    this.#isAwaitingWriter = true
    try {
      await this.#writer.drained()
    } catch (error) {
      this.#rejectPending(error)
    } finally {
      this.#isAwaitingWriter = false
    }
    this.#pump()
  }

  #write(batch: GatheredBatch): void {
    this.#inFlight += 1
    const { messages } = batch
    // A writer that has encoded them needs them no more: kept until the receipt, they would outlive the young generation.
    batch.messages = []
    this.#writer.write(messages).then(
      (receipt) => {
        this.#landed(batch)
        batch.resolve({ ...receipt, topic: this.#topic })
      },
      (error: unknown) => {
        if (error instanceof WriteError && error.unknown.length > 0) this.#rejectPending(behindUnknown(error))
        this.#landed(batch)
        batch.reject(error)
      },
    )
  }

  #landed(batch: GatheredBatch): void {
    this.#inFlight -= 1
    this.#pendingBytes -= batch.bytes
    if (this.#inFlight === 0) this.#seal()
    this.#wake()
  }

  #rejectPending(reason: unknown): void {
    const pending = this.#open === undefined ? this.#waiting : [...this.#waiting, this.#open]
    this.#open?.linger?.cancel()
    this.#open = undefined
    this.#waiting = []
    for (const batch of pending) {
      this.#pendingBytes -= batch.bytes
      batch.reject(reason)
    }
    this.#wake()
  }

  #progress(signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const onAbort = () => reject(signal?.reason)
      signal?.addEventListener('abort', onAbort, { once: true })
      this.#onProgress.push(() => {
        signal?.removeEventListener('abort', onAbort)
        resolve()
      })
    })
  }

  #wake(): void {
    if (this.#onProgress.length === 0) return
    const woken = this.#onProgress
    this.#onProgress = []
    for (const wake of woken) wake()
  }

  #overloaded(): SkeinError {
    return new SkeinError(
      'overloaded',
      `Cannot publish to ${this.#topic}: ${this.#pendingBytes} bytes wait to be written; await what was published, or ready()`,
      { retryable: true, details: { topic: this.#topic, pendingBytes: this.#pendingBytes } },
    )
  }
}

function behindUnknown(cause: WriteError): WriteError {
  return new WriteError(
    'Cannot write this batch: it was queued behind one whose result is unknown, and nothing of it was sent',
    { accepted: [], unknown: [], cause, retryable: true },
  )
}
