import { SkeinError } from '../../../core/index.ts'
import { type LogBatch, type RecordCursor, recordCursor } from '../../../log/index.ts'
import { REPLAY_HEADER, type SubjectFilter, TTL_HEADER } from '../../kit/index.ts'
import type { Collector, OpenBatch } from './collector.ts'
import { locatedError } from './located-error.ts'
import { hasMark, MARK_REPLAY, MARK_TTL, type Partition } from './partition.ts'
import type { AppendedRange } from './tail.ts'
import { ToldRanges } from './told-ranges.ts'

/** Decides, per record, what a reader that keeps account of single messages does with it. */
export interface Gate {
  /** The next offset to fetch; the feed moves it. */
  position: number
  /** Nothing has to be decided per record now. */
  readonly isPlain: boolean
  /** Fresh records may be fetched now. */
  readonly canFetch: boolean
  /** Something held back has its turn. */
  hasDue(nowMs: number): boolean
  /** `give`: with that attempt. `skip`: done or held back. `stop`: not now, and nothing after it. */
  decide(cursor: RecordCursor, count: number): 'skip' | 'stop' | number
}

export interface TakeLimits {
  readonly countMax: number
  readonly bytesMax: number
  readonly nowMs: number
}

interface Walk extends OpenBatch {
  /** Subjects wanted; undefined for all. */
  readonly wanted: ReadonlySet<string> | undefined
  /** Where the last record that was looked at begins; -1 before the first. */
  at: number
}

/** Fetches one partition for one reader: stored batches ahead, records out of them one read at a time. */
export class Feed {
  readonly partition: Partition
  readonly gate: Gate
  readonly #filter: SubjectFilter | undefined
  /** The end was reached; since then every append that may concern this reader is told. */
  #isFollowing = false
  readonly #told = new ToldRanges()
  readonly #group: string | undefined
  #buffer: LogBatch[] = []
  #walk: Walk | undefined
  #filling: Promise<void> | undefined
  /** Rises with every seek, so that a fetch under way is dropped. */
  #version = 0

  constructor(
    partition: Partition,
    gate: Gate,
    wanted: { readonly filter: SubjectFilter | undefined; readonly group: string | undefined },
  ) {
    this.partition = partition
    this.gate = gate
    this.#filter = wanted.filter
    this.#group = wanted.group
  }

  /** Something fresh that may concern this reader is there. */
  get hasMore(): boolean {
    if (this.#buffer.length > 0) return true
    if (this.#isFollowing && this.#filter !== undefined) return !this.#told.isEmpty
    return this.gate.position < this.partition.log.endOffset
  }

  /** Everything up to the end was given, or does not concern this reader. */
  get isAtTail(): boolean {
    return this.#isFollowing && !this.hasMore
  }

  /** To be called where nothing more is there: what concerns this reader from now on is told. */
  follow(): void {
    this.#isFollowing = true
  }

  canGive(nowMs: number): boolean {
    return (this.gate.canFetch && this.hasMore) || this.gate.hasDue(nowMs)
  }

  get isBuffered(): boolean {
    return this.#buffer.length > 0
  }

  moveTo(offset: number): void {
    this.gate.position = offset
    this.#buffer = []
    this.#walk = undefined
    this.#version += 1
    this.#isFollowing = false
    this.#told.clear()
  }

  /** Records that may concern this reader were appended. What lies between them and what was told before does not. */
  tell(appended: AppendedRange): void {
    if (!this.#isFollowing) return
    if (this.#filter !== undefined && this.#told.add(appended)) return
    // Everything concerns it, or it lags behind too many: it reads on from the first of them by itself.
    this.#skipTo(this.#told.first)
    this.#told.clear()
    this.#isFollowing = false
  }

  #skipTo(range: AppendedRange | undefined): void {
    if (range !== undefined && range.baseOffset > this.gate.position) this.gate.position = range.baseOffset
  }

  /** One fetch at a time: readers that come meanwhile share it. */
  fill(bytesMax: number): Promise<void> {
    this.#filling ??= this.#fillNext(bytesMax).finally(() => {
      this.#filling = undefined
    })
    return this.#filling
  }

  async #fillNext(bytesMax: number): Promise<void> {
    const version = this.#version
    const end = this.partition.log.endOffset
    const told = this.#told.first
    this.#skipTo(told)
    const wanted = told === undefined ? bytesMax : Math.min(bytesMax, told.byteLength)
    const batches = await this.partition.log.read(this.gate.position, wanted).catch((error: unknown) => {
      if (version === this.#version) this.#passGap(error)
      throw locatedError(error, this.partition)
    })
    if (version !== this.#version || this.#buffer.length > 0) return
    this.#buffer = [...batches]
    // Compaction may have left nothing between here and the end.
    if (batches.length === 0 && this.gate.position < end) this.gate.position = end
    this.#told.passTo(batches.at(-1)?.lastOffset ?? end - 1)
  }

  /** Whoever reads is told of a gap once, by this error; the next read goes on behind it. */
  #passGap(error: unknown): void {
    if (!(error instanceof SkeinError)) return
    const behind = error.code === 'position-gone' ? error.details.startOffset : error.details.resumeOffset
    if (typeof behind !== 'number' || behind <= this.gate.position) return
    this.gate.position = behind
    this.#told.passTo(behind - 1)
  }

  /** Moves records from what is buffered into the collector, up to the limits. */
  take(collector: Collector, limits: TakeLimits): void {
    let bytesLeft = limits.bytesMax
    while (this.#buffer.length > 0 && collector.count < limits.countMax && bytesLeft > 0) {
      const batch = this.#buffer[0]!
      if (this.#passesOver(batch, limits.nowMs)) {
        this.#leave(batch)
        continue
      }
      if (this.#takesWhole(batch) && collector.addBatch(batch)) {
        bytesLeft -= batch.body.byteLength
        this.#leave(batch)
        continue
      }
      const walked = this.#walkBatch(this.#enter(batch), collector, { ...limits, bytesMax: bytesLeft })
      if (walked === undefined) return
      bytesLeft -= walked
    }
  }

  #passesOver(batch: LogBatch, nowMs: number): boolean {
    if (batch.lastOffset < this.gate.position) return true
    const { ttlMs } = this.partition.settings
    return ttlMs !== undefined && !hasMark(batch, MARK_TTL) && batch.appendedAtMs + ttlMs <= nowMs
  }

  #takesWhole(batch: LogBatch): boolean {
    return (
      this.gate.isPlain &&
      this.gate.position <= batch.baseOffset &&
      !hasMark(batch, MARK_TTL | MARK_REPLAY) &&
      batch.count === batch.lastOffset - batch.baseOffset + 1 &&
      // A filter that wants every subject of the batch's table wants every record.
      (this.#filter === undefined || this.#enter(batch).wanted === undefined)
    )
  }

  #enter(batch: LogBatch): Walk {
    if (this.#walk?.batch === batch) return this.#walk
    const cursor = recordCursor(batch.body, batch.baseOffset, batch.firstTimestampMs)
    this.#walk = { batch, cursor, wanted: this.#filter?.wantedOf(cursor.subjects()), at: -1 }
    return this.#walk
  }

  #leave(batch: LogBatch): void {
    this.#buffer.shift()
    this.#walk = undefined
    if (batch.lastOffset >= this.gate.position) this.gate.position = batch.lastOffset + 1
  }

  /** Bytes given; undefined when the gate stopped it or a limit was reached within the batch. */
  #walkBatch(walk: Walk, collector: Collector, limits: TakeLimits): number | undefined {
    const { cursor, wanted, batch } = walk
    // Deliveries given before share the cursor and may have moved it.
    if (walk.at === -1) cursor.rewind()
    else cursor.moveTo(walk.at)
    if (wanted === undefined || wanted.size > 0) {
      let bytes = 0
      while (cursor.next()) {
        if (cursor.offset < this.gate.position) continue
        if (collector.count >= limits.countMax || bytes >= limits.bytesMax) return undefined
        if (wanted !== undefined && !wanted.has(cursor.subject)) {
          this.#passed(walk)
          continue
        }
        const decision = this.#decide(walk, collector.count, limits.nowMs)
        if (decision === 'stop') return undefined
        this.#passed(walk)
        if (decision === 'skip') continue
        collector.addRecord(walk, decision)
        bytes += cursor.valueEnd - cursor.recordStart
      }
      this.#leave(batch)
      return bytes
    }
    this.#leave(batch)
    return 0
  }

  #passed(walk: Walk): void {
    walk.at = walk.cursor.recordStart
    this.gate.position = walk.cursor.offset + 1
  }

  #decide(walk: Walk, count: number, nowMs: number): 'skip' | 'stop' | number {
    if (isExpired(walk, this.partition, nowMs)) return 'skip'
    if (hasMark(walk.batch, MARK_REPLAY) && walk.cursor.header(REPLAY_HEADER) !== this.#group) return 'skip'
    return this.gate.isPlain ? 1 : this.gate.decide(walk.cursor, count)
  }
}

/** A message's own TTL counts before its topic's. */
export function isExpired(open: OpenBatch, partition: Partition, nowMs: number): boolean {
  const { batch, cursor } = open
  const { ttlMs } = partition.settings
  if (ttlMs === undefined && !hasMark(batch, MARK_TTL)) return false
  const own = cursor.header(TTL_HEADER)
  const livesMs = own === undefined ? ttlMs : Number(own)
  return livesMs !== undefined && batch.appendedAtMs + livesMs <= nowMs
}
