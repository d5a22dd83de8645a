import { SkeinError } from '../core/index.ts'
import { BATCH_HEADER_BYTES, type BatchHeader, bodyCrcOf } from './batch-header.ts'
import type { LogBatch } from './log.ts'
import type { LogState } from './log-state.ts'
import { ownHeader, type Scanned, SegmentScan } from './scan.ts'
import { indexFile, type Segment } from './segment.ts'
import { SEGMENT_HEADER_BYTES } from './segment-header.ts'
import { SparseIndex } from './sparse-index.ts'

interface Hint {
  readonly segment: Segment
  readonly at: number
}

const HINTS = 64
const READ_BYTES_MIN = 64 * 1024
/** More is not read on the word of the index alone. */
const READ_BYTES_BY_INDEX_MAX = 512 * 1024
const RETRIES = 3

/** Told when a read met damage, with the segment it is in. */
export type DamageListener = (segment: Segment, reason: string) => void

/** Finds batches by offset in the segments' files, checks them, and tells what is lost where they are damaged. */
export class SegmentReader {
  readonly #state: LogState
  readonly #onDamage: DamageListener
  /** Where the batch of an offset begins, for those who read on where they stopped. */
  readonly #hints = new Map<number, Hint>()

  constructor(state: LogState, onDamage: DamageListener) {
    this.#state = state
    this.#onDamage = onDamage
  }

  async read(fromOffset: number, maxBytes: number): Promise<readonly LogBatch[]> {
    const state = this.#state
    for (let retries = 0; ; ) {
      if (fromOffset < state.startOffset) throw this.#gone(fromOffset)
      if (fromOffset >= state.endOffset) return []
      const kept = state.tail.read(fromOffset, maxBytes, state.endOffset)
      if (kept !== undefined) return kept
      const segments = state.segments
      try {
        return await this.#readSegments(segments, fromOffset, maxBytes)
      } catch (error) {
        // Retention or compaction may have replaced what this read was using: then look again.
        if (segments === state.segments || retries === RETRIES) throw error
        retries += 1
      }
    }
  }

  async #readSegments(
    segments: readonly Segment[],
    fromOffset: number,
    maxBytes: number,
  ): Promise<readonly LogBatch[]> {
    let from = fromOffset
    let index = segments.findLastIndex((segment) => segment.baseOffset <= from)
    if (index === -1) throw this.#lost(from, segments[0]?.baseOffset ?? this.#state.endOffset, undefined)
    for (; index < segments.length; index += 1) {
      const segment = segments[index]!
      const nextBase = segments[index + 1]?.baseOffset ?? this.#state.endOffset
      const batches = await this.#readSegment(segment, from, maxBytes)
      if (batches.length > 0) return batches
      const at = await this.#find(segment, from, nextBase)
      if (at !== undefined) {
        this.#remember(from, { segment, at })
        const found = await this.#readSegment(segment, from, maxBytes)
        if (found.length > 0) return found
        throw this.#lost(from, nextBase, segment)
      }
      from = nextBase
    }
    return []
  }

  /** The usual way: start where a hint or the index says and take whole batches; empty when anything is not as expected. */
  async #readSegment(segment: Segment, from: number, maxBytes: number): Promise<LogBatch[]> {
    const hint = this.#hints.get(from)
    let at = hint?.segment === segment ? hint.at : await this.#indexedPosition(segment, from)
    const end = segment.readableBytes
    let wanted = wantedBytes(segment, at, maxBytes)
    while (at < end) {
      const chunk = Buffer.allocUnsafeSlow(Math.min(wanted, end - at))
      const start = at
      const got = await this.#state.files.use(segment, (file) => file.read(chunk, start))
      const taken = takeBatches(chunk.subarray(0, got), { segment, at, from, maxBytes })
      if (taken.batches.length > 0) {
        this.#remember(taken.batches.at(-1)!.lastOffset + 1, { segment, at: at + taken.end })
        return taken.batches
      }
      if (taken.end === 0) {
        // Nothing was passed over: the first batch is larger than the chunk, or no batch.
        if (taken.needs <= chunk.byteLength || at + taken.needs > end) return []
        wanted = taken.needs
      }
      at += taken.end
    }
    return []
  }

  async #indexedPosition(segment: Segment, from: number): Promise<number> {
    if (from <= segment.baseOffset) return SEGMENT_HEADER_BYTES
    if (!segment.isIndexed) await this.indexSegment(segment)
    return segment.index.positionOf(from)?.position ?? SEGMENT_HEADER_BYTES
  }

  /** Loads the segment's index, or makes it again when it is not there or not right. */
  async indexSegment(segment: Segment): Promise<void> {
    const end = segment.readableBytes
    const index = (await this.#loadIndex(segment)) ?? (await this.#buildIndex(segment, end))
    if (segment.isIndexed) return
    index.continueWith(segment.index, end)
    segment.index = index
    segment.isIndexed = true
  }

  async #loadIndex(segment: Segment): Promise<SparseIndex | undefined> {
    if (segment === this.#state.active) return undefined
    const path = `${this.#state.directory}/${indexFile(segment.baseOffset)}`
    try {
      const bytes = await this.#state.disk.size(path)
      if (bytes === undefined) return undefined
      const file = await this.#state.disk.open(path, 'read')
      try {
        const content = Buffer.alloc(bytes)
        await file.read(content, 0)
        return SparseIndex.decode(content, segment.header.id)
      } finally {
        await file.close()
      }
    } catch {
      // Derived: whatever is wrong with it, the segment itself has the truth.
      return undefined
    }
  }

  async #buildIndex(segment: Segment, end: number): Promise<SparseIndex> {
    const index = new SparseIndex()
    const scan = this.scan(segment, end)
    for (let found = await scan.next(); found !== undefined; found = await scan.next()) {
      if (found.kind === 'batch') index.note(found.header.baseOffset, found.at, found.header.appendedAtMs)
    }
    return index
  }

  scan(segment: Segment, end = segment.readableBytes): SegmentScan {
    const read = (target: Uint8Array, at: number) => this.#state.files.use(segment, (file) => file.read(target, at))
    return new SegmentScan(read, segment.header, { from: SEGMENT_HEADER_BYTES, end })
  }

  /**
   * The slow way, past damage: where the first batch at or after `from` begins, or undefined when the segment has none
   * and lost none. Throws `corrupt` when `from` is among the offsets that were lost.
   */
  async #find(segment: Segment, from: number, nextBase: number): Promise<number | undefined> {
    const scan = this.scan(segment)
    let expected = segment.baseOffset
    let damage: Extract<Scanned, { kind: 'damage' }> | undefined
    for (let found = await scan.next(); found !== undefined; found = await scan.next()) {
      if (found.kind === 'damage') {
        damage ??= found
        continue
      }
      const { baseOffset, lastOffset } = found.header
      const isLost = damage !== undefined || segment.header.compacted === undefined
      if (isLost && from >= expected && from < baseOffset) throw this.#lost(from, baseOffset, segment, damage?.reason)
      if (lastOffset >= from) return found.at
      damage = undefined
      expected = lastOffset + 1
    }
    const isLost = damage !== undefined || segment.header.compacted === undefined
    if (isLost && from >= expected && from < nextBase) throw this.#lost(from, nextBase, segment, damage?.reason)
    return undefined
  }

  #remember(offset: number, hint: Hint): void {
    this.#hints.delete(offset)
    this.#hints.set(offset, hint)
    if (this.#hints.size <= HINTS) return
    for (const oldest of this.#hints.keys()) {
      this.#hints.delete(oldest)
      return
    }
  }

  #gone(fromOffset: number): SkeinError {
    const { startOffset, directory } = this.#state
    const message = `Cannot read offset ${fromOffset} of ${directory}: the log begins at ${startOffset}; go on from there`
    return new SkeinError('position-gone', message, { details: { fromOffset, startOffset } })
  }

  #lost(fromOffset: number, resumeOffset: number, segment: Segment | undefined, reason?: string): SkeinError {
    const file = segment?.file ?? 'a segment that is missing'
    const why = reason ?? 'batches are missing'
    if (segment !== undefined) this.reportDamage(segment, why)
    const message = `Cannot read offsets ${fromOffset} to ${resumeOffset - 1} of ${this.#state.directory}: ${file} is damaged (${why}); reading can go on at ${resumeOffset}`
    return new SkeinError('corrupt', message, { details: { fromOffset, resumeOffset, file, reason: why } })
  }

  /** A segment that was replaced or removed meanwhile says nothing about the log. */
  reportDamage(segment: Segment, reason: string): void {
    if (this.#state.segments.includes(segment)) this.#onDamage(segment, reason)
  }
}

/** About `maxBytes`, up to where a batch ends as far as the index knows: what is cut would be read once more. */
function wantedBytes(segment: Segment, at: number, maxBytes: number): number {
  const most = Math.max(maxBytes, READ_BYTES_MIN)
  if (at + most >= segment.readableBytes) return most
  const boundary = segment.index.boundaryAfter(at, most)
  if (boundary === undefined || boundary - at > READ_BYTES_BY_INDEX_MAX) return most
  return boundary - at
}

interface Taking {
  readonly segment: Segment
  /** Where the chunk begins in the file. */
  readonly at: number
  readonly from: number
  readonly maxBytes: number
}

/** Whole, intact batches of a chunk, leaving out those before `from`. */
function takeBatches(
  chunk: Buffer,
  taking: Taking,
): { readonly batches: LogBatch[]; readonly end: number; readonly needs: number } {
  const batches: LogBatch[] = []
  let at = 0
  let needs = BATCH_HEADER_BYTES
  for (let bytes = 0; bytes < taking.maxBytes; ) {
    const header = ownHeader(chunk, at, taking.at + at, taking.segment.header)
    if (header === undefined) break
    needs = BATCH_HEADER_BYTES + header.bodyBytes
    const end = at + needs
    if (end > chunk.byteLength) break
    if (header.lastOffset >= taking.from) {
      const body = chunk.subarray(at + BATCH_HEADER_BYTES, end)
      if (bodyCrcOf([body]) !== header.bodyCrc) break
      batches.push(logBatch(header, chunk.subarray(at, end), body))
      bytes += needs
    }
    at = end
    needs = BATCH_HEADER_BYTES
  }
  return { batches, end: at, needs }
}

function logBatch(header: BatchHeader, bytes: Uint8Array, body: Uint8Array): LogBatch {
  return {
    baseOffset: header.baseOffset,
    lastOffset: header.lastOffset,
    count: header.count,
    stamp: header.stamp,
    firstTimestampMs: header.firstTimestampMs,
    lastTimestampMs: header.lastTimestampMs,
    appendedAtMs: header.appendedAtMs,
    bytes,
    body,
  }
}
