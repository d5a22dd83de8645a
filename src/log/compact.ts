import { ClosedError } from '../core/index.ts'
import { BATCH_HEADER_BYTES, type BatchHeader, bodyCrcOf, writeBatchHeader } from './batch-header.ts'
import { type FilteredBody, filterRecords } from './filter-records.ts'
import { removeSegment } from './load-segments.ts'
import type { LogState } from './log-state.ts'
import type { RecordCursor } from './record.ts'
import { recordCursor } from './record-cursor.ts'
import { Segment, segmentFile } from './segment.ts'
import { createFile, newSegmentId, writeIndex } from './segment-create.ts'
import { encodeSegmentHeader, SEGMENT_HEADER_BYTES, type SegmentHeader } from './segment-header.ts'
import type { SegmentReader } from './segment-reader.ts'

export interface CompactionOptions {
  readonly tombstoneMs: number
  readonly nowMs: number
  /** Batches whose stamp has one of these marks stay whole, for so long after they were appended. */
  readonly keepMarked?: { readonly marks: number; readonly ms: number }
}

/** Decides per record. Offsets by key of the newest record in the closed segments. */
interface Rule {
  readonly newest: ReadonlyMap<string, number>
  /** Tombstones appended at or before this are dropped. */
  readonly tombstonesBeforeMs: number
  readonly keptMarks: number
  /** Batches with those marks are gone over when they were appended at or before this. */
  readonly markedBeforeMs: number
}

/** Closed segments that become one file. */
interface Run {
  readonly segments: Segment[]
  keptBytes: number
  removed: number
}

const WRITE_BYTES = 1024 * 1024

/** Keeps the newest record of each key in closed segments, and merges segments that became small. */
export class Compaction {
  readonly #state: LogState
  readonly #reader: SegmentReader
  readonly #segmentBytes: number
  /** What it last went over without anything left to do but to wait for what stays for a time. */
  #done: readonly Segment[] = []
  #oldestTombstoneAtMs = Number.POSITIVE_INFINITY
  #oldestMarkedAtMs = Number.POSITIVE_INFINITY
  #isStopped = false

  constructor(state: LogState, reader: SegmentReader, segmentBytes: number) {
    this.#state = state
    this.#reader = reader
    this.#segmentBytes = segmentBytes
  }

  /** Makes a run under way reject soon, and any later one: what it has not put in place is removed at the next opening. */
  stop(): void {
    this.#isStopped = true
  }

  async run(options: CompactionOptions): Promise<void> {
    const closed = this.#state.segments.slice(0, -1)
    const isKnown =
      closed.length === this.#done.length && closed.every((segment, index) => segment === this.#done[index])
    const { tombstoneMs, keepMarked = { marks: 0, ms: 0 } } = options
    // Not before what it deletes may go, for which it may have to wait itself.
    const tombstonesBeforeMs = options.nowMs - Math.max(tombstoneMs, keepMarked.ms)
    const markedBeforeMs = options.nowMs - keepMarked.ms
    if (isKnown && this.#oldestTombstoneAtMs > tombstonesBeforeMs && this.#oldestMarkedAtMs > markedBeforeMs) return
    const rule: Rule = {
      newest: await this.#newestOffsets(closed),
      // What a tombstone deletes may be in a damaged segment, where it cannot be taken out: then it has to stay.
      tombstonesBeforeMs: closed.some((segment) => segment.damage !== undefined) ? -1 : tombstonesBeforeMs,
      keptMarks: keepMarked.marks,
      markedBeforeMs,
    }
    this.#oldestTombstoneAtMs = Number.POSITIVE_INFINITY
    this.#oldestMarkedAtMs = Number.POSITIVE_INFINITY
    // In ascending order: what a tombstone deletes is gone for good before the tombstone goes.
    for (const run of await this.#planRuns(closed, rule)) {
      if (run.removed > 0 || run.segments.length > 1) await this.#rewrite(run, rule)
    }
    this.#done = this.#state.segments.slice(0, closed.length).filter((segment) => segment !== this.#state.active)
  }

  async #newestOffsets(closed: readonly Segment[]): Promise<Map<string, number>> {
    const newest = new Map<string, number>()
    for (const segment of closed) {
      await this.#eachBatch(segment, (header, body) => {
        const cursor = recordCursor(body, header.baseOffset, 0)
        while (cursor.next()) {
          const key = cursor.key
          if (key !== undefined) newest.set(key, cursor.offset)
        }
      })
    }
    return newest
  }

  /** Damage is left where it is: a damaged segment is never rewritten. */
  async #eachBatch(
    segment: Segment,
    visit: (header: BatchHeader, body: Buffer) => void | Promise<void>,
  ): Promise<void> {
    const scan = this.#reader.scan(segment)
    for (let found = await scan.next(); found !== undefined; found = await scan.next()) {
      if (this.#isStopped) throw new ClosedError(`the log in ${this.#state.directory}`)
      if (found.kind === 'batch') await visit(found.header, scan.bytesOf(found).subarray(BATCH_HEADER_BYTES))
      else this.#reader.reportDamage(segment, found.reason)
    }
  }

  async #planRuns(closed: readonly Segment[], rule: Rule): Promise<Run[]> {
    const runs: Run[] = []
    let open: Run | undefined
    for (const segment of closed) {
      if (segment.damage !== undefined) {
        open = undefined
        continue
      }
      const { keptBytes, removed } = await this.#measure(segment, rule)
      const isSmall = keptBytes <= this.#segmentBytes / 4
      if (open !== undefined && isSmall && open.keptBytes + keptBytes <= this.#segmentBytes / 2) {
        open.segments.push(segment)
        open.keptBytes += keptBytes
        open.removed += removed
        continue
      }
      const run: Run = { segments: [segment], keptBytes, removed }
      runs.push(run)
      open = isSmall ? run : undefined
    }
    return runs
  }

  async #measure(segment: Segment, rule: Rule): Promise<{ readonly keptBytes: number; readonly removed: number }> {
    let keptBytes = 0
    let removed = 0
    await this.#eachBatch(segment, (header, body) => {
      const cursor = recordCursor(body, header.baseOffset, 0)
      let kept = 0
      while (cursor.next()) {
        if (!isKept(cursor, header, rule)) {
          removed += 1
          continue
        }
        kept += cursor.valueEnd - cursor.recordStart
        if (cursor.isTombstone) this.#oldestTombstoneAtMs = Math.min(this.#oldestTombstoneAtMs, header.appendedAtMs)
        else if (!isNewest(cursor, rule)) this.#oldestMarkedAtMs = Math.min(this.#oldestMarkedAtMs, header.appendedAtMs)
      }
      if (kept > 0) keptBytes += kept + BATCH_HEADER_BYTES
    })
    return { keptBytes, removed }
  }

  /** Writes the run as one segment beside the old ones, then puts it in their place by renaming. */
  async #rewrite(run: Run, rule: Rule): Promise<void> {
    const { disk, directory, files } = this.#state
    const first = run.segments[0]!
    const place = this.#state.segments.indexOf(first)
    const next = this.#state.segments[place + run.segments.length]
    // A scan that met damage meanwhile has taken the segment out of our hands; so has a retention.
    if (place === -1 || next === undefined || run.segments.some((segment) => segment.damage !== undefined)) return
    const written = await this.#write(run, rule, next.baseOffset)
    const path = `${directory}/${segmentFile(first.baseOffset)}`
    await disk.rename(`${path}.new`, path)
    await disk.syncDirectory(directory)
    const segments = [...this.#state.segments]
    segments.splice(segments.indexOf(first), run.segments.length, written)
    this.#state.segments = segments
    // It may still hold what was taken out.
    this.#state.tail.clear()
    for (const old of run.segments) await files.forget(old)
    for (const merged of run.segments.slice(1)) await removeSegment(disk, directory, merged)
    await writeIndex(this.#state, written)
  }

  async #write(run: Run, rule: Rule, endOffset: number): Promise<Segment> {
    const first = run.segments[0]!.header
    const start = { baseOffset: first.baseOffset, startPosition: first.startPosition, createdAtMs: first.createdAtMs }
    const unfinished: SegmentHeader = { ...start, id: newSegmentId(this.#state, start), compacted: undefined }
    const file = await createFile(this.#state, `${segmentFile(first.baseOffset)}.new`)
    try {
      const output = new SegmentOutput(unfinished, (buffers, at) => file.writev(buffers, at))
      for (const segment of run.segments) {
        await this.#eachBatch(segment, (header, body) => {
          const filtered = filterRecords(body, header.baseOffset, (cursor) => isKept(cursor, header, rule))
          return filtered === undefined ? undefined : output.add(header, filtered)
        })
      }
      const fileBytes = await output.finish()
      const header: SegmentHeader = { ...unfinished, compacted: { endOffset, fileBytes } }
      await file.writev([encodeSegmentHeader(header)], 0)
      await file.datasync()
      const segment = new Segment(header, fileBytes, { isIndexed: true })
      for (const note of output.notes) segment.index.note(note.baseOffset, note.at, note.appendedAtMs)
      return segment
    } finally {
      await file.close()
    }
  }
}

function isKept(cursor: RecordCursor, header: BatchHeader, rule: Rule): boolean {
  if (cursor.key === undefined) return true
  const isMarked = ((header.stamp.marks ?? 0) & rule.keptMarks) !== 0
  if (isMarked && header.appendedAtMs > rule.markedBeforeMs) return true
  return isNewest(cursor, rule) && (!cursor.isTombstone || header.appendedAtMs > rule.tombstonesBeforeMs)
}

/** A key that is in no closed segment any more, or was never there, has no newer record. */
function isNewest(cursor: RecordCursor, rule: Rule): boolean {
  const newest = cursor.key === undefined ? undefined : rule.newest.get(cursor.key)
  return newest === undefined || newest === cursor.offset
}

/** Batches of a new segment, gathered into large writes. */
class SegmentOutput {
  readonly notes: Array<{ readonly baseOffset: number; readonly at: number; readonly appendedAtMs: number }> = []
  readonly #segment: SegmentHeader
  readonly #write: (buffers: readonly Uint8Array[], at: number) => Promise<void>
  #waiting: Buffer[] = []
  #waitingBytes = 0
  #at = SEGMENT_HEADER_BYTES

  constructor(segment: SegmentHeader, write: (buffers: readonly Uint8Array[], at: number) => Promise<void>) {
    this.#segment = segment
    this.#write = write
  }

  async add(original: BatchHeader, filtered: FilteredBody): Promise<void> {
    const at = this.#at + this.#waitingBytes
    const position = this.#segment.startPosition + at
    const header = Buffer.alloc(BATCH_HEADER_BYTES)
    writeBatchHeader(header, 0, {
      ...original,
      bodyBytes: filtered.body.byteLength,
      bodyCrc: bodyCrcOf([filtered.body]),
      count: filtered.count,
      segmentId: this.#segment.id,
      position,
      provenEnd: this.#segment.startPosition,
    })
    this.notes.push({ baseOffset: original.baseOffset, at, appendedAtMs: original.appendedAtMs })
    this.#waiting.push(header, filtered.body)
    this.#waitingBytes += header.byteLength + filtered.body.byteLength
    if (this.#waitingBytes >= WRITE_BYTES) await this.#flush()
  }

  /** Writes the rest; resolves to the length of the file. */
  async finish(): Promise<number> {
    await this.#flush()
    return this.#at
  }

  async #flush(): Promise<void> {
    if (this.#waitingBytes > 0) await this.#write(this.#waiting, this.#at)
    this.#at += this.#waitingBytes
    this.#waiting = []
    this.#waitingBytes = 0
  }
}
