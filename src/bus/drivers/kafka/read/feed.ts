import type { SkeinError } from '../../../../core/index.ts'
import type { SubjectFilter } from '../../../kit/index.ts'
import type { FetchedBatch } from '../protocol/decode-batches.ts'
import { RecordCursor } from '../protocol/record-cursor.ts'
import type { DeliveryCollector } from './delivery-collector.ts'
import type { SeenIds } from './seen-ids.ts'

/** Decides, per record, what a reader that keeps account of single messages does with it. */
export interface Gate {
  /** The next offset to look at; the feed moves it. */
  position: number
  /** Nothing has to be decided per record now. */
  readonly isPlain: boolean
  /** Fresh records may be given now. */
  readonly canFetch: boolean
  /** Something held back has its turn. */
  hasDue(nowMs: number): boolean
  /** `skip`: done or held back. `stop`: not now, and nothing after it. A number: give it, with that attempt. */
  decide(cursor: RecordCursor, count: number): 'skip' | 'stop' | number
}

export interface TakeLimits {
  readonly countMax: number
  readonly bytesMax: number
  readonly nowMs: number
}

export interface FeedWants {
  readonly filter: SubjectFilter | undefined
  readonly group: string | undefined
  readonly ttlMs: number | undefined
  /** Where the topic deduplicates: what this reader has seen. */
  readonly ids: SeenIds | undefined
}

interface Walk {
  readonly batch: FetchedBatch
  readonly cursor: RecordCursor
  /** The record the cursor stands on has not been decided. */
  isPending: boolean
}

/** One partition for one reader: batches that were fetched ahead, and records out of them, one read at a time. */
export class Feed {
  readonly partition: number
  readonly gate: Gate
  /** Behind the last committed record, as last heard; -1 before the first fetch. */
  endOffset = -1
  /** Rises with every move, so that a fetch under way is dropped. */
  version = 0
  isFetching = false
  /** What the next read is told of, once: a gap in what is stored. */
  failure: SkeinError | undefined
  readonly #wants: FeedWants
  #buffer: FetchedBatch[] = []
  #bufferedBytes = 0
  #walk: Walk | undefined
  #fetchOffset: number

  constructor(partition: number, gate: Gate, wants: FeedWants) {
    this.partition = partition
    this.gate = gate
    this.#wants = wants
    this.#fetchOffset = gate.position
  }

  get fetchOffset(): number {
    return this.#fetchOffset
  }

  get bufferedBytes(): number {
    return this.#bufferedBytes
  }

  get hasMore(): boolean {
    return this.#buffer.length > 0
  }

  /** Everything up to the end is known not to be this reader's. */
  get isAtTail(): boolean {
    return this.#buffer.length === 0 && this.endOffset >= 0 && this.gate.position >= this.endOffset
  }

  canGive(nowMs: number): boolean {
    return this.failure !== undefined || (this.gate.canFetch && this.hasMore) || this.gate.hasDue(nowMs)
  }

  moveTo(offset: number): void {
    this.gate.position = offset
    this.#fetchOffset = offset
    this.#buffer = []
    this.#bufferedBytes = 0
    this.#walk = undefined
    this.endOffset = -1
    this.failure = undefined
    this.version += 1
  }

  /** Takes what a fetch brought. */
  append(batches: readonly FetchedBatch[], endOffset: number): void {
    this.endOffset = endOffset
    for (const batch of batches) {
      if (batch.lastOffset < this.#fetchOffset) continue
      this.#fetchOffset = batch.lastOffset + 1
      this.#buffer.push(batch)
      this.#bufferedBytes += batch.bytes.length
    }
    this.#passEmpty()
  }

  /** Batches of no records move the position and are nothing to give. */
  #passEmpty(): void {
    while (this.#buffer.length > 0 && this.#buffer[0]!.count === 0) this.#leave(this.#buffer[0]!)
  }

  /** Moves records from what is buffered into the collector, up to the limits. */
  take(collector: DeliveryCollector, limits: TakeLimits): void {
    let bytesLeft = limits.bytesMax
    while (this.#buffer.length > 0 && collector.count < limits.countMax && bytesLeft > 0) {
      const batch = this.#buffer[0]!
      const bytes = this.#walkBatch(this.#enter(batch), collector, { ...limits, bytesMax: bytesLeft })
      if (bytes === undefined) return
      bytesLeft -= bytes
      this.#leave(batch)
    }
  }

  #enter(batch: FetchedBatch): Walk {
    if (this.#walk?.batch !== batch) {
      this.#walk = { batch, cursor: new RecordCursor(batch), isPending: false }
    }
    return this.#walk!
  }

  #leave(batch: FetchedBatch): void {
    this.#buffer.shift()
    this.#bufferedBytes -= batch.bytes.length
    this.#walk = undefined
    if (batch.lastOffset >= this.gate.position) this.gate.position = batch.lastOffset + 1
  }

  /** Bytes given; undefined when the gate stopped it or a limit was reached within the batch. */
  #walkBatch(walk: Walk, collector: DeliveryCollector, limits: TakeLimits): number | undefined {
    const { cursor } = walk
    let bytes = 0
    while (walk.isPending ? cursor.resume() : cursor.next()) {
      walk.isPending = true
      if (cursor.offset >= this.gate.position) {
        if (collector.count >= limits.countMax || bytes >= limits.bytesMax) return undefined
        const decision = this.#decide(cursor, collector.count, limits.nowMs)
        if (decision === 'stop') return undefined
        if (decision !== 'skip') {
          collector.add(cursor, decision)
          bytes += cursor.byteLength
        }
        this.gate.position = cursor.offset + 1
      }
      walk.isPending = false
    }
    return bytes
  }

  #decide(cursor: RecordCursor, count: number, nowMs: number): 'skip' | 'stop' | number {
    const { filter, group, ids } = this.#wants
    if (ids?.isRepeat(cursor) === true) return 'skip'
    if (filter !== undefined && !filter.wants(cursor.subject)) return 'skip'
    if (isExpired(cursor, this.#wants.ttlMs, nowMs)) return 'skip'
    const { replayGroup } = cursor
    if (replayGroup !== undefined && replayGroup !== group) return 'skip'
    return this.gate.isPlain ? 1 : this.gate.decide(cursor, count)
  }
}

/** A message's own TTL counts before its topic's. */
export function isExpired(cursor: RecordCursor, topicTtlMs: number | undefined, nowMs: number): boolean {
  const livesMs = cursor.ttlMs ?? topicTtlMs
  return livesMs !== undefined && cursor.appendedAtMs + livesMs <= nowMs
}
