import { recordCursor } from '../../../log/index.ts'
import type { Batch, Delivery, Headers } from '../../index.ts'
import { StoredDelivery, TTL_HEADER } from '../../kit/index.ts'

/** One piece of a delivered batch as its head tells it. */
export type WirePiece = readonly [
  bytes: number,
  baseOffset: number,
  firstTimestampMs: number,
  appendedAtMs: number,
  fromOffset: number,
  throughOffset: number,
  count: number,
  offsets: readonly number[] | null,
]

/** What the head of a `deliver` cast says. */
export interface DeliveredHead {
  /** Counts up with every batch of this reader and connection. */
  readonly number: number
  /** Of the newest seek. */
  readonly epoch: number
  readonly partition: number
  readonly generation: number
  readonly lastSequence: number
  readonly count: number
  readonly pieces: readonly WirePiece[]
  readonly attempts: ReadonlyArray<readonly [offset: number, attempt: number]>
  /** Lost by `overflow: 'drop'` so far. */
  readonly dropped: number
  /** The node's clock when it sent this. */
  readonly sentAtMs: number
}

/** Expiry is looked at again only after a wait that could matter: the node has just looked. */
const FRESH_MS = 5

export interface DeliveredParts {
  readonly topic: string
  readonly body: Uint8Array
  readonly generation: number
  /** What comes before it has come already. */
  readonly fromSequence: number
  /** Monotonic. */
  readonly receivedAtMs: number
}

export interface TakeLimits {
  readonly maxMessages: number
  readonly maxBytes: number
  /** Of the topic: of messages that have none of their own. */
  readonly ttlMs: number | undefined
}

const NOTHING: readonly never[] = Object.freeze([])

/** A batch that came and has not been read, or not wholly. Decoded when it is first read. */
export class DeliveredBatch {
  readonly head: DeliveredHead
  readonly generation: number
  readonly byteLength: number
  readonly #topic: string
  readonly #body: Uint8Array
  readonly #fromSequence: number
  readonly #receivedAtMs: number
  #deliveries: readonly Delivery[] | undefined
  #taken = 0
  /** Some message has an end to its life of its own. */
  #mayExpire = false
  #expired: readonly Delivery[] = NOTHING

  constructor(head: DeliveredHead, parts: DeliveredParts) {
    this.head = head
    this.generation = parts.generation
    this.byteLength = parts.body.byteLength
    this.#topic = parts.topic
    this.#body = parts.body
    this.#fromSequence = parts.fromSequence
    this.#receivedAtMs = parts.receivedAtMs
  }

  get isTaken(): boolean {
    return this.#deliveries !== undefined && this.#taken >= this.#deliveries.length
  }

  /** The sequence of the next message, or one before it when it has not been decoded. */
  get firstUnread(): number {
    const next = this.#deliveries?.[this.#taken]
    return next?.position.sequence ?? Math.max(this.head.pieces[0]![4], this.#fromSequence)
  }

  /** The next messages of it within the limits, at least one; undefined when all that was left has expired. */
  take(limits: TakeLimits, nowMs: number): Batch | undefined {
    this.#deliveries ??= this.#decode()
    this.#dropExpired(nowMs - this.#receivedAtMs, limits.ttlMs)
    const left = this.#deliveries.length - this.#taken
    if (left <= 0) return undefined
    const bytesEach = Math.max(1, this.byteLength / this.head.count)
    const count = Math.min(left, limits.maxMessages, Math.max(1, Math.floor(limits.maxBytes / bytesEach)))
    const deliveries =
      count === this.#deliveries.length ? this.#deliveries : this.#deliveries.slice(this.#taken, this.#taken + count)
    this.#taken += count
    const { partition } = this.head
    return { topic: this.#topic, partition, generation: this.generation, deliveries, last: deliveries.at(-1)!.position }
  }

  /** What the last calls of `take()` left out because it had expired: once. */
  takeExpired(): readonly Delivery[] {
    const expired = this.#expired
    this.#expired = NOTHING
    return expired
  }

  /** Takes out what the node has taken back: messages of these keys, or all, that were not read. */
  withdraw(keys: ReadonlySet<string> | 'all'): void {
    this.#deliveries ??= this.#decode()
    const left = this.#deliveries.slice(this.#taken)
    this.#deliveries = keys === 'all' ? [] : left.filter((delivery) => !keys.has(delivery.key ?? delivery.subject))
    this.#taken = 0
  }

  #decode(): Delivery[] {
    const { head } = this
    const attempts = head.attempts.length === 0 ? undefined : new Map(head.attempts)
    const deliveries: Delivery[] = []
    let at = 0
    for (const piece of head.pieces) {
      this.#decodePiece(piece, this.#body.subarray(at, at + piece[0]), { attempts, deliveries })
      at += piece[0]
    }
    return deliveries
  }

  #decodePiece(
    piece: WirePiece,
    body: Uint8Array,
    into: { readonly attempts: ReadonlyMap<number, number> | undefined; readonly deliveries: Delivery[] },
  ): void {
    const [, baseOffset, firstTimestampMs, appendedAtMs, fromOffset, throughOffset, , offsets] = piece
    const cursor = recordCursor(body, baseOffset, firstTimestampMs)
    const { partition } = this.head
    const source = { topic: this.#topic, partition, generation: this.generation, appendedAtMs, cursor }
    const { attempts, deliveries } = into
    let known: Headers | undefined
    for (let index = 0; cursor.next(); index += 1) {
      const offset = offsets === null ? cursor.offset : offsets[index]!
      if (offset < fromOffset || offset < this.#fromSequence) continue
      if (offset > throughOffset) break
      const delivery = StoredDelivery.withHeaders(source, offset, attempts?.get(offset) ?? 1)
      deliveries.push(delivery)
      // Records with the same headers as the one before share the object.
      if (delivery.headers === known) continue
      known = delivery.headers
      this.#mayExpire ||= known[TTL_HEADER] !== undefined
    }
  }

  /** Whatever expired while it waited here is not given: its age is the node's when sent, and the wait since. */
  #dropExpired(waitedMs: number, topicTtlMs: number | undefined): void {
    if (waitedMs < FRESH_MS || (!this.#mayExpire && topicTtlMs === undefined)) return
    const nodeNowMs = this.head.sentAtMs + waitedMs
    const isLive = (delivery: Delivery) => {
      const ttl = delivery.headers[TTL_HEADER]
      const ttlMs = ttl === undefined ? topicTtlMs : Number(ttl)
      return ttlMs === undefined || delivery.appendedAtMs + ttlMs > nodeNowMs
    }
    const left = this.#deliveries!.slice(this.#taken)
    this.#deliveries = left.filter(isLive)
    this.#taken = 0
    if (this.#deliveries.length < left.length) this.#expired = left.filter((delivery) => !isLive(delivery))
  }
}
