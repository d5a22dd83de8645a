import { type Clock, ClosedError, type Disk, type DiskLock, type Timer } from '../core/index.ts'
import { Appender } from './appender.ts'
import type { Checkpoint, CheckpointFile } from './checkpoint.ts'
import { Compaction, type CompactionOptions } from './compact.ts'
import { removeSegment } from './load-segments.ts'
import type { AppendDurability, Appended, BatchStamp, Log, LogBatch, LogStatus, Retention, SyncPolicy } from './log.ts'
import type { LogState } from './log-state.ts'
import type { EncodedRecords } from './record.ts'
import type { LogEnd } from './recover.ts'
import { countExpired } from './retention.ts'
import { quarantineFile, type Segment } from './segment.ts'
import { createFile } from './segment-create.ts'
import { SegmentFiles } from './segment-files.ts'
import { SegmentReader } from './segment-reader.ts'
import { Tail } from './tail.ts'

export interface SegmentedLogOptions {
  readonly disk: Disk
  readonly clock: Clock
  readonly directory: string
  readonly sync: SyncPolicy
  readonly segmentBytes: number
  readonly groupBytesMax: number
  readonly queueBytesMax: number
  readonly idleMs: number
}

/** What opening found. */
export interface OpenedLog {
  readonly checkpoint: CheckpointFile
  readonly newest: Checkpoint | undefined
  readonly segments: readonly Segment[]
  readonly end: LogEnd
  readonly lock: DiskLock | undefined
}

const SEARCH_BYTES = 256 * 1024

/** One open log: the appender and the reader over shared state, and the upkeep of both. */
export class SegmentedLog implements Log {
  readonly #options: SegmentedLogOptions
  readonly #state: LogState
  readonly #appender: Appender
  readonly #reader: SegmentReader
  readonly #compaction: Compaction
  readonly #end: LogEnd
  readonly #lock: DiskLock | undefined
  readonly #listeners = new Set<(endOffset: number) => void>()
  /** Damaged segments before the start: nothing reads them, nothing deletes them. */
  readonly #setAside: Segment[] = []
  #upkeep: Promise<void> = Promise.resolve()
  #idleTimer: Timer | undefined
  #syncedAtMs = 0
  #ending: Promise<void> | undefined

  constructor(options: SegmentedLogOptions, opened: OpenedLog) {
    this.#options = options
    this.#end = opened.end
    this.#lock = opened.lock
    this.#state = {
      disk: options.disk,
      clock: options.clock,
      directory: options.directory,
      files: new SegmentFiles(options.disk, options.directory),
      checkpoint: opened.checkpoint,
      tail: new Tail(),
      segments: opened.segments,
      active: undefined,
      startOffset: opened.newest?.startOffset ?? opened.segments[0]?.baseOffset ?? opened.end.nextOffset,
      endOffset: opened.end.nextOffset,
    }
    this.#reader = new SegmentReader(this.#state, (segment, reason) => this.#quarantine(segment, reason))
    this.#compaction = new Compaction(this.#state, this.#reader, options.segmentBytes)
    this.#appender = new Appender(this.#state, opened.end, {
      ...options,
      onGrowth: () => this.#tellGrowth(),
      onSynced: () => this.#checkpointLater(),
    })
  }

  /** Takes up where the log ended. */
  async begin(): Promise<void> {
    const { disk, directory, files } = this.#state
    const last = this.#state.segments.at(-1)
    for (const segment of this.#state.segments) if (segment.damage !== undefined) await this.#mark(segment)
    if (last !== undefined && this.#end.isAppendable) {
      const file = await disk.open(`${directory}/${last.file}`, 'write')
      files.adopt(last, file)
      this.#state.active = last
      this.#appender.resume(file, last.readableBytes)
    }
    const hasLeftovers = (this.#state.segments[1]?.baseOffset ?? Number.POSITIVE_INFINITY) <= this.#state.startOffset
    if (!this.#end.wasUnclean && !hasLeftovers) return
    try {
      // What was read of the checkpoint may be in the page cache alone: nothing is deleted on its word before it is synced.
      await this.#writeCheckpoint()
      await this.#dropBefore(this.#state.startOffset)
    } catch {
      // The next opening finds the same and tries again.
    }
  }

  get startOffset(): number {
    return this.#state.startOffset
  }

  get endOffset(): number {
    return this.#state.endOffset
  }

  append(records: EncodedRecords, stamp: BatchStamp, durability: AppendDurability): Promise<Appended> {
    return this.#appender.append(records, stamp, durability)
  }

  async read(fromOffset: number, maxBytes: number): Promise<readonly LogBatch[]> {
    if (this.#ending !== undefined) throw this.#closed()
    return this.#reader.read(fromOffset, maxBytes)
  }

  onGrowth(listener: (endOffset: number) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  #tellGrowth(): void {
    for (const listener of this.#listeners) listener(this.#state.endOffset)
  }

  async offsetAtTime(timestampMs: number): Promise<number> {
    const { segments, startOffset } = this.#state
    const index = Math.max(
      0,
      segments.findLastIndex((segment) => segment.header.createdAtMs < timestampMs),
    )
    const segment = segments[index]
    if (segment === undefined) return this.#state.endOffset
    if (!segment.isIndexed) await this.#reader.indexSegment(segment)
    let from = Math.max(startOffset, segment.index.offsetBefore(timestampMs) ?? segment.baseOffset)
    while (from < this.#state.endOffset) {
      const batches = await this.#readPastDamage(from)
      const found = batches.find((batch) => batch.appendedAtMs >= timestampMs)
      if (found !== undefined) return Math.max(found.baseOffset, this.#state.startOffset)
      if (batches.length === 0) break
      from = batches.at(-1)!.lastOffset + 1
    }
    return this.#state.endOffset
  }

  async #readPastDamage(fromOffset: number): Promise<readonly LogBatch[]> {
    for (let from = fromOffset; ; ) {
      try {
        return await this.read(from, SEARCH_BYTES)
      } catch (error) {
        const resume = (error as { details?: { resumeOffset?: number } }).details?.resumeOffset
        if (resume === undefined || resume <= from) throw error
        from = resume
      }
    }
  }

  retain(retention: Retention, nowMs: number): Promise<void> {
    return this.#upkeepNext(async () => {
      const count = countExpired(this.#state.segments, retention, nowMs)
      const first = this.#state.segments[count]
      if (count > 0 && first !== undefined) await this.#moveStart(first.baseOffset)
    })
  }

  compact(options: CompactionOptions & { readonly closeActive?: boolean }): Promise<void> {
    return this.#upkeepNext(async () => {
      if (options.closeActive === true) await this.#appender.roll()
      await this.#compaction.run(options)
    })
  }

  advanceStart(offset: number): Promise<void> {
    return this.#upkeepNext(() => this.#moveStart(Math.min(offset, this.#state.endOffset)))
  }

  /** One after the other: they replace the same files. */
  #upkeepNext(work: () => Promise<void>): Promise<void> {
    if (this.#ending !== undefined) return Promise.reject(this.#closed())
    const done = this.#upkeep.then(work)
    this.#upkeep = done.catch(() => undefined)
    return done
  }

  /** The new start is durable before anything is deleted: a start that came back without its files would be damage. */
  async #moveStart(offset: number): Promise<void> {
    if (offset <= this.#state.startOffset) return
    await this.#state.checkpoint.write(() => ({ ...this.#checkpoint(), startOffset: offset }))
    this.#state.startOffset = offset
    await this.#dropBefore(offset)
  }

  async #dropBefore(offset: number): Promise<void> {
    const { disk, directory, files, segments } = this.#state
    let count = 0
    while (count < segments.length - 1 && segments[count + 1]!.baseOffset <= offset) count += 1
    if (count === 0) return
    this.#state.segments = segments.slice(count)
    for (const segment of segments.slice(0, count)) {
      await files.forget(segment)
      if (segment.damage === undefined) await removeSegment(disk, directory, segment)
      else this.#setAside.push(segment)
    }
    await disk.syncDirectory(directory)
  }

  #quarantine(segment: Segment, reason: string): void {
    if (segment.damage !== undefined) return
    segment.damage = reason
    if (segment === this.#state.active) this.#appender.rollNext()
    this.#upkeep = this.#upkeep.then(() => this.#mark(segment))
  }

  /** Leaves word beside the file. It stays where it is, under its name: its intact batches are still read. */
  async #mark(segment: Segment): Promise<void> {
    const name = quarantineFile(segment.baseOffset)
    try {
      if ((await this.#state.disk.size(`${this.#state.directory}/${name}`)) !== undefined) return
      const file = await createFile(this.#state, name)
      await file.writev([Buffer.from(`${segment.damage}\n`)], 0)
      await file.datasync()
      await file.close()
      await this.#state.disk.syncDirectory(this.#state.directory)
    } catch {
      // The damage is found again by the next one who reads there.
    }
  }

  status(): LogStatus {
    const { segments, startOffset, endOffset } = this.#state
    const damaged = [...this.#setAside, ...segments].filter((segment) => segment.damage !== undefined)
    return {
      startOffset,
      endOffset,
      sizeBytes: segments.reduce((sum, segment) => sum + segment.readableBytes, 0),
      segments: segments.length,
      quarantined: damaged.map((segment) => ({
        file: segment.file,
        firstOffset: segment.baseOffset,
        reason: segment.damage!,
      })),
      poisoned: this.#appender.poisoned,
      lastAppendedAtMs: this.#appender.lastAppendedAtMs,
      tornBytes: this.#end.tornBytes,
    }
  }

  #checkpoint(): Checkpoint {
    const { active, startOffset } = this.#state
    const { offset, position } = this.#appender.synced
    return {
      startOffset,
      endOffset: offset,
      provenEnd: position,
      lastAppendedAtMs: this.#appender.lastAppendedAtMs,
      segment: active?.header,
    }
  }

  #writeCheckpoint(): Promise<void> {
    return this.#state.checkpoint.write(() => this.#checkpoint())
  }

  #checkpointLater(): void {
    this.#syncedAtMs = this.#state.clock.monotonicMs()
    if (this.#idleTimer !== undefined || this.#ending !== undefined) return
    this.#setIdleTimer(this.#options.idleMs)
  }

  #setIdleTimer(delayMs: number): void {
    this.#idleTimer = this.#state.clock.setTimer(() => {
      this.#idleTimer = undefined
      const leftMs = this.#syncedAtMs + this.#options.idleMs - this.#state.clock.monotonicMs()
      if (leftMs > 0) this.#setIdleTimer(leftMs)
      // A checkpoint only spares the next opening a scan: one that fails is written again after the next group.
      else this.#writeCheckpoint().catch(() => undefined)
    }, delayMs)
  }

  drain(): Promise<void> {
    this.#appender.stopAccepting()
    this.#ending ??= this.#finish({ sync: true })
    return this.#ending
  }

  close(): Promise<void> {
    this.#appender.stopAccepting()
    this.#appender.rejectQueued(this.#closed())
    this.#ending ??= this.#finish({ sync: false })
    return this.#ending
  }

  async #finish(options: { readonly sync: boolean }): Promise<void> {
    this.#idleTimer?.cancel()
    this.#compaction.stop()
    try {
      await this.#appender.finish(options)
      await this.#upkeep
    } finally {
      // Both slots, so that damage to one leaves the other. Without them the next opening scans: nothing is lost.
      if (!this.#appender.poisoned && this.#state.segments.length > 0) {
        await this.#writeCheckpoint().catch(() => undefined)
        await this.#writeCheckpoint().catch(() => undefined)
      }
      await this.#state.checkpoint.close().catch(() => undefined)
      await this.#state.files.close()
      await this.#lock?.release()
    }
  }

  #closed(): ClosedError {
    return new ClosedError(`the log in ${this.#options.directory}`)
  }
}
