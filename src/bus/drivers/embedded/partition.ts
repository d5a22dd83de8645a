import type { Clock } from '../../../core/index.ts'
import { SkeinError } from '../../../core/index.ts'
import type { AppendDurability, Appended, BatchStamp, EncodedRecords, Log, LogBatch } from '../../../log/index.ts'
import { type IdMemory, IdWindow, ProducerWindow, type TopicSettings } from '../../kit/index.ts'
import type { Tail } from './tail.ts'

/** Some record of the batch has a TTL of its own. */
export const MARK_TTL = 1
/** Some record of the batch has an id. */
export const MARK_ID = 2

/** Its records are dead letters replayed, each for one group. */
export const MARK_REPLAY = 4

export function hasMark(batch: LogBatch, mark: number): boolean {
  return ((batch.stamp.marks ?? 0) & mark) !== 0
}

/** An append in flight whose ids are not yet in the window. */
export interface PendingIds {
  readonly appended: Promise<Appended>
}

/** A partition may always remember so much: others that are full do not keep it from being written. */
const ID_BYTES_OWN = 1024 * 1024
/**
 * A client has at most 256 on their way. Thirty thousand are three megabytes, and half a one where they are noted; ten
 * times as much if ten thousand producers write to one partition, for each of them keeps its last ones.
 */
const PRODUCER_LIMITS = { batchesMax: 512, batchesMin: 32, producersMax: 10_000, entriesMax: 30_000 }
const VISIBLE_CHECK_MS = 100
const NOTE_BYTES = 32 * 1024 * 1024
const NOTE_BYTES_MIN = 2 * 1024 * 1024

/** An append in its place among the others: with other durability a later one may resolve before it. */
interface Turn {
  readonly subjects: readonly string[]
  readonly byteLength: number
  stored: Appended | undefined
  hasFailed: boolean
}

/** One partition: its log, and what is remembered so that repeats are not stored again. */
export class Partition {
  readonly index: number
  readonly settings: TopicSettings
  readonly log: Log
  /** Undefined where the topic does not deduplicate. */
  readonly ids: IdWindow | undefined
  readonly producers = new ProducerWindow(PRODUCER_LIMITS)
  /** The end of the log when it was opened: what lies below may have been given before a crash. */
  readonly openedAtOffset: number
  readonly #clock: Clock
  readonly #tail: Tail
  readonly #idMemory: IdMemory
  readonly #pendingIds = new Map<string, PendingIds>()
  /** Appends that are not yet known to be readable, in the order of their offsets, which is that of the calls. */
  readonly #turns: Turn[] = []
  /** How many of them, from the first, have settled. */
  #settledTurns = 0
  #visibleWaiters: Array<() => void> = []
  #noteDue: (() => void) | undefined
  #unnotedBytes = 0
  /** Every append below it has settled: what is noted of the producers covers it. */
  notedThrough: number

  constructor(
    index: number,
    parts: {
      readonly settings: TopicSettings
      readonly log: Log
      readonly clock: Clock
      readonly tail: Tail
      /** For the ids of all partitions. */
      readonly idMemory: IdMemory
    },
  ) {
    this.index = index
    this.settings = parts.settings
    this.log = parts.log
    this.#clock = parts.clock
    this.#tail = parts.tail
    this.#idMemory = parts.idMemory
    this.openedAtOffset = parts.log.endOffset
    this.notedThrough = parts.log.endOffset
    const windowMs = parts.settings.deduplicationWindowMs
    this.ids = windowMs > 0 ? new IdWindow(windowMs, parts.idMemory) : undefined
    parts.log.onGrowth(() => this.#showSettled())
  }

  /** Where the id was stored, the append that is storing it, or undefined for a new one. */
  findId(id: string): number | PendingIds | undefined {
    return this.#pendingIds.get(id) ?? this.ids?.find(id)
  }

  /** Those that are older than the window are not looked for any more. */
  expireIds(): void {
    this.ids?.expire(this.#clock.nowMs())
  }

  /** To be called before ids are looked up. Throws `overloaded` when the memory for ids is full: it is bounded. */
  makeRoomForIds(): void {
    if (this.ids === undefined) return
    this.expireIds()
    if (!this.#idMemory.isFull || this.ids.heldBytes < ID_BYTES_OWN) return
    const { name, deduplicationWindowMs } = this.settings
    throw new SkeinError(
      'overloaded',
      `Cannot write to "${name}": the memory for message ids is full (${this.#idMemory.bytesMax} bytes), and this topic ` +
        `remembers those of the last ${deduplicationWindowMs} ms; write more slowly, or give it a shorter window`,
      { retryable: true, details: { topic: name, partition: this.index, bytesMax: this.#idMemory.bytesMax } },
    )
  }

  /** `ids` are those of the records, in order, with undefined for a record without one; absent when none has one. */
  append(
    records: EncodedRecords,
    options: {
      readonly stamp: BatchStamp
      readonly durability: AppendDurability
      readonly ids?: ReadonlyArray<string | undefined> | undefined
    },
  ): Promise<Appended> {
    const { ids } = options
    const stored = this.log.append(records, options.stamp, options.durability)
    const { subjects, byteLength } = records
    const turn: Turn = { subjects, byteLength, stored: undefined, hasFailed: false }
    this.#turns.push(turn)
    const appended = stored.then(
      (result) => {
        if (ids !== undefined) this.#keepIds(ids, result)
        turn.stored = result
        this.#settle(records)
        return result
      },
      (error: unknown) => {
        turn.hasFailed = true
        this.#showSettled()
        if (ids !== undefined) for (const id of ids) if (id !== undefined) this.#pendingIds.delete(id)
        throw error
      },
    )
    if (ids !== undefined) for (const id of ids) if (id !== undefined) this.#pendingIds.set(id, { appended })
    return appended
  }

  #settle(records: EncodedRecords): void {
    this.#showSettled()
    this.#unnotedBytes += records.byteLength
    if (this.#unnotedBytes >= Math.max(NOTE_BYTES_MIN, NOTE_BYTES / this.settings.partitions)) this.note()
  }

  /** Calls back when what is remembered of the producers should be noted, so that opening reads a short tail. */
  onNoteDue(listener: () => void): void {
    this.#noteDue = listener
  }

  note(): void {
    if (this.#unnotedBytes === 0) return
    this.#unnotedBytes = 0
    this.#noteDue?.()
  }

  #keepIds(ids: ReadonlyArray<string | undefined>, appended: Appended): void {
    for (const [index, id] of ids.entries()) {
      if (id === undefined) continue
      this.#pendingIds.delete(id)
      this.ids?.add(id, { offset: appended.baseOffset + index, atMs: appended.appendedAtMs })
    }
  }

  /**
   * Tells the tail of what has become readable, never of a later append before an earlier one: readers that wait there go
   * straight to what they are told of. An append resolves before or after it is readable, by its durability.
   */
  #showSettled(): void {
    for (; this.#settledTurns < this.#turns.length; this.#settledTurns += 1) {
      const { stored, hasFailed } = this.#turns[this.#settledTurns]!
      if (stored !== undefined) this.notedThrough = stored.lastOffset + 1
      else if (!hasFailed) break
    }
    const end = this.log.endOffset
    while (this.#settledTurns > 0) {
      const { stored, subjects, byteLength } = this.#turns[0]!
      if (stored !== undefined && stored.lastOffset >= end) break
      this.#turns.shift()
      this.#settledTurns -= 1
      if (stored !== undefined) this.#tail.notify(this.index, { ...stored, byteLength }, subjects)
    }
    this.#wakeVisible()
  }

  #wakeVisible(): void {
    const waiters = this.#visibleWaiters
    if (waiters.length === 0) return
    this.#visibleWaiters = []
    for (const wake of waiters) wake()
  }

  /** Waits until the record is readable, which under group sync means synced. */
  async visible(offset: number): Promise<void> {
    while (this.log.endOffset <= offset) {
      if (this.log.status().poisoned) {
        throw new SkeinError(
          'log-poisoned',
          `Cannot confirm offset ${offset} of ${this.settings.name}: a sync of its log failed; restart`,
        )
      }
      await this.#growthOr(VISIBLE_CHECK_MS)
    }
  }

  #growthOr(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.#clock.setTimer(resolve, delayMs, { keepAlive: true })
      this.#visibleWaiters.push(() => {
        timer.cancel()
        resolve()
      })
    })
  }
}
