import type { Clock, Timer } from '../../../core/index.ts'
import type { Batch, Delivery, ReadLimits } from '../../index.ts'
import { DeliveredBatch, type DeliveredHead, type DeliveredParts } from './delivered-batch.ts'

export interface ReadBufferOptions {
  readonly topic: string
  readonly clock: Clock
  readonly bytesMax: number
  /** Room has come back, or something was taken by the application. */
  readonly credit: (bytes: number, taken: Taken | undefined) => void
  /** Messages of one batch ended their time to live here, and nobody is given them. */
  readonly onExpired: (deliveries: readonly Delivery[]) => void
}

/** The application has everything up to here. */
export interface Taken {
  readonly number: number
  readonly sequence: number
}

/** The node has taken messages of a partition back, out of every batch up to this number. */
export interface Withdrawal {
  readonly partition: number
  readonly keys: ReadonlySet<string> | 'all'
  readonly throughNumber: number
}

interface Waiting {
  readonly limits: ReadLimits
  readonly resolve: (batch: Batch | null) => void
  readonly reject: (error: unknown) => void
  readonly timer: Timer | undefined
  readonly onAbort: (() => void) | undefined
}

const MESSAGES_MAX = 4_096
const BYTES_MAX = 1024 * 1024

/** What came and was not read, in order, and the reads that wait for more. */
export class ReadBuffer {
  /** The topic's time to live, as far as it is known. */
  ttlMs: number | undefined
  readonly #options: ReadBufferOptions
  readonly #waiting = new Set<Waiting>()
  /** Partitions whose batches must not be read just now, and by how many settlements. */
  readonly #held = new Map<number, number>()
  #withdrawals: Withdrawal[] = []
  #batches: DeliveredBatch[] = []
  #bytes = 0
  #failure: { readonly error: unknown } | undefined
  #ended: { readonly error: unknown } | undefined

  constructor(options: ReadBufferOptions) {
    this.#options = options
  }

  /** Bytes there is room for. */
  get credit(): number {
    return this.#options.bytesMax - this.#bytes
  }

  read(limits: ReadLimits): Promise<Batch | null> {
    const { signal } = limits
    if (signal?.aborted) return Promise.reject(signal.reason)
    if (this.#ended !== undefined) return Promise.reject(this.#ended.error)
    if (this.#waiting.size === 0) {
      const batch = this.#take(limits)
      if (batch !== undefined) return Promise.resolve(batch)
      const failure = this.#takeFailure()
      if (failure !== undefined) return Promise.reject(failure.error)
    }
    return this.#wait(limits)
  }

  add(head: DeliveredHead, parts: Omit<DeliveredParts, 'topic' | 'receivedAtMs'>): void {
    const { topic, clock } = this.#options
    const receivedAtMs = clock.monotonicMs()
    const batch = new DeliveredBatch(head, { topic, receivedAtMs, ...parts })
    this.#withdrawals = this.#withdrawals.filter(({ throughNumber }) => head.number <= throughNumber)
    for (const { partition, keys } of this.#withdrawals) if (partition === head.partition) batch.withdraw(keys)
    this.#batches.push(batch)
    this.#bytes += parts.body.byteLength
    this.#serve()
  }

  /** While messages of these partitions are being settled, what comes behind them must not be read. */
  hold(partitions: Iterable<number>): void {
    for (const partition of partitions) this.#held.set(partition, (this.#held.get(partition) ?? 0) + 1)
  }

  letGo(partitions: Iterable<number>): void {
    for (const partition of partitions) {
      const holds = (this.#held.get(partition) ?? 0) - 1
      if (holds > 0) this.#held.set(partition, holds)
      else this.#held.delete(partition)
    }
    this.#serve()
  }

  withdraw(withdrawal: Withdrawal): void {
    const { partition, keys, throughNumber } = withdrawal
    for (const batch of this.#batches) {
      if (batch.head.partition === partition && batch.head.number <= throughNumber) batch.withdraw(keys)
    }
    this.#withdrawals.push(withdrawal)
  }

  /** The reader cannot go on: the next read behind what has come rejects, the one after it asks again. */
  fail(error: unknown): void {
    this.#failure = { error }
    this.#serve()
  }

  /** For good: everything that waits rejects at once. */
  end(error: unknown): void {
    this.#ended = { error }
    this.#batches = []
    for (const waiting of [...this.#waiting]) this.#leave(waiting).reject(error)
  }

  clear(): void {
    this.#batches = []
    this.#withdrawals = []
    this.#bytes = 0
    this.#failure = undefined
  }

  /** The first message of a partition that came and was not read. */
  firstUnread(partition: number): number | undefined {
    return this.#batches.find((batch) => batch.head.partition === partition && !batch.isTaken)?.firstUnread
  }

  /** Drops what came of partitions that were taken away. */
  revoke(partitions: readonly number[]): void {
    const dropped = this.#batches.filter((batch) => partitions.includes(batch.head.partition))
    if (dropped.length === 0) return
    this.#batches = this.#batches.filter((batch) => !partitions.includes(batch.head.partition))
    for (const batch of dropped) this.#giveBack(batch, undefined)
  }

  /** Joins what came in pieces: a reader that acknowledges once a batch is not made to do so for every frame. */
  #take(limits: ReadLimits): Batch | undefined {
    const { maxMessages = MESSAGES_MAX, maxBytes = BYTES_MAX } = limits
    const nowMs = this.#options.clock.monotonicMs()
    let joined: Batch | undefined
    let bytes = 0
    for (let index = 0; index < this.#batches.length; ) {
      const next = this.#batches[index]!
      if (this.#held.has(next.head.partition) || (joined !== undefined && !isOfSame(joined, next))) {
        index += 1
        continue
      }
      // Given again: an acknowledgment of the joined batch would not reach back to what was given before.
      if (joined !== undefined && next.head.pieces[0]![4] <= joined.last.sequence) break
      const given = joined?.deliveries.length ?? 0
      if (given >= maxMessages || (given > 0 && bytes + next.byteLength > maxBytes)) break
      const { ttlMs } = this
      const batch = next.take({ maxMessages: maxMessages - given, maxBytes: maxBytes - bytes, ttlMs }, nowMs)
      bytes += next.byteLength
      this.#noteTaken(index, batch)
      const expired = next.takeExpired()
      if (expired.length > 0) this.#options.onExpired(expired)
      joined = join(joined, batch)
      if (!next.isTaken) break
    }
    return joined
  }

  #noteTaken(index: number, batch: Batch | undefined): void {
    const from = this.#batches[index]!
    const { number, lastSequence } = from.head
    if (from.isTaken) {
      this.#batches.splice(index, 1)
      this.#giveBack(from, { number, sequence: lastSequence })
    } else if (batch !== undefined) {
      this.#options.credit(0, { number, sequence: batch.last.sequence })
    }
  }

  #giveBack(batch: DeliveredBatch, taken: Taken | undefined): void {
    this.#bytes -= batch.byteLength
    this.#options.credit(batch.byteLength, taken)
  }

  #takeFailure(): { readonly error: unknown } | undefined {
    const failure = this.#failure
    this.#failure = undefined
    // The node reads again from here on, and fails again if the cause is still there.
    if (failure !== undefined) this.#options.credit(0, undefined)
    return failure
  }

  #serve(): void {
    for (const waiting of [...this.#waiting]) {
      const batch = this.#take(waiting.limits)
      const failure = batch === undefined ? this.#takeFailure() : undefined
      if (batch !== undefined) this.#leave(waiting).resolve(batch)
      else if (failure !== undefined) this.#leave(waiting).reject(failure.error)
      else return
    }
  }

  #wait(limits: ReadLimits): Promise<Batch | null> {
    const { waitMs, signal } = limits
    return new Promise((resolve, reject) => {
      const timer =
        waitMs === undefined
          ? undefined
          : this.#options.clock.setTimer(() => this.#leave(waiting).resolve(null), waitMs, { keepAlive: true })
      const onAbort = signal === undefined ? undefined : () => this.#leave(waiting).reject(signal.reason)
      const waiting: Waiting = { limits, resolve, reject, timer, onAbort }
      if (onAbort !== undefined) signal?.addEventListener('abort', onAbort, { once: true })
      this.#waiting.add(waiting)
    })
  }

  #leave(waiting: Waiting): Waiting {
    this.#waiting.delete(waiting)
    waiting.timer?.cancel()
    if (waiting.onAbort !== undefined) waiting.limits.signal?.removeEventListener('abort', waiting.onAbort)
    return waiting
  }
}

function isOfSame(batch: Batch, next: DeliveredBatch): boolean {
  return next.head.partition === batch.partition && next.generation === batch.generation
}

function join(first: Batch | undefined, second: Batch | undefined): Batch | undefined {
  if (first === undefined || second === undefined) return first ?? second
  return { ...second, deliveries: first.deliveries.concat(second.deliveries) }
}
