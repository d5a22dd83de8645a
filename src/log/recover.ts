import type { Disk, DiskFile } from '../core/index.ts'
import type { Checkpoint } from './checkpoint.ts'
import { RECORD_HEADER_BYTES } from './record-layout.ts'
import { type Scanned, SegmentScan } from './scan.ts'
import type { Segment } from './segment.ts'
import { SEGMENT_HEADER_BYTES } from './segment-header.ts'

/** What is known of the end of a log after opening it. */
export interface LogEnd {
  /** Offset of the next record. Never one that a lost record may have had. */
  readonly nextOffset: number
  /** Position of the log where the next segment would begin. */
  readonly endPosition: number
  readonly lastAppendedAtMs: number
  readonly tornBytes: number
  /** Whether appends may go on in the last segment; else a new one is begun. */
  readonly isAppendable: boolean
  /** Whether anything had to be read or repaired that a new checkpoint would spare the next opening. */
  readonly wasUnclean: boolean
}

/** A scan's findings up to some place. */
interface Progress {
  at: number
  nextOffset: number
  appendedAtMs: number
}

interface Damage extends Readonly<Progress> {
  readonly damage: Extract<Scanned, { kind: 'damage' }>
}

const COPY_BYTES = 1024 * 1024

/**
 * Decides what of the last segment is whole, torn or corrupt, and repairs its end. The proven end is the greatest of
 * the checkpoint's and of every intact batch header's; a bad batch at or past it was never acknowledged as durable and
 * is cut off with all that follows it, one before it is corruption and stays.
 */
export async function recoverEnd(
  disk: Disk,
  directory: string,
  segment: Segment,
  checkpoint: Checkpoint | undefined,
): Promise<LogEnd> {
  const file = await disk.open(`${directory}/${segment.file}`, 'write')
  try {
    return await new Recovery(file, segment, checkpoint).run()
  } finally {
    await file.close()
  }
}

class Recovery {
  readonly #file: DiskFile
  readonly #segment: Segment
  readonly #checkpoint: Checkpoint | undefined
  readonly #fileBytes: number
  readonly #damages: Damage[] = []
  readonly #progress: Progress
  #provenEnd: number

  constructor(file: DiskFile, segment: Segment, checkpoint: Checkpoint | undefined) {
    this.#file = file
    this.#segment = segment
    this.#checkpoint = checkpoint
    this.#fileBytes = segment.readableBytes
    this.#provenEnd = checkpoint?.provenEnd ?? 0
    this.#progress = this.#beginning()
  }

  /** Where the scan begins: at the checkpoint's end if it is in this file, else at the first batch. */
  #beginning(): Progress {
    const proven = this.#checkpoint
    const at = (proven?.provenEnd ?? 0) - this.#segment.header.startPosition
    if (proven?.segment?.id === this.#segment.header.id && at >= SEGMENT_HEADER_BYTES && at <= this.#fileBytes) {
      return { at, nextOffset: proven.endOffset, appendedAtMs: proven.lastAppendedAtMs }
    }
    const appendedAtMs = Math.max(this.#segment.header.createdAtMs, proven?.lastAppendedAtMs ?? 0)
    return { at: SEGMENT_HEADER_BYTES, nextOffset: this.#segment.baseOffset, appendedAtMs }
  }

  async run(): Promise<LogEnd> {
    const start = this.#segment.header.startPosition
    await this.#scan()
    const torn = this.#damages.find((found) => start + found.at >= this.#provenEnd)
    const corrupt = this.#damages.filter((found) => start + found.at < this.#provenEnd)
    const end = torn ?? this.#progress
    const tornBytes = torn === undefined ? 0 : this.#fileBytes - torn.at
    // What the checkpoint proves beyond the file's end was lost with the end of this file or with the files behind it.
    const missing = this.#provenEnd > start + this.#fileBytes
    if (missing) this.#segment.damage ??= 'the log ends before what had been synced'
    if (corrupt.length > 0) this.#segment.damage ??= corrupt[0]!.damage.reason
    this.#segment.readableBytes = Math.min(this.#fileBytes, Math.max(end.at, SEGMENT_HEADER_BYTES))
    const { compacted } = this.#segment.header
    const isAppendable = this.#segment.damage === undefined && compacted === undefined
    if (isAppendable) await this.#repair(tornBytes)
    return {
      nextOffset: Math.max(
        this.#offsetAfter(end, torn === undefined),
        missing ? this.#checkpoint!.endOffset : 0,
        compacted?.endOffset ?? 0,
        // A new segment never takes the name of one that is kept for its damage.
        isAppendable ? 0 : this.#segment.baseOffset + 1,
      ),
      endPosition: Math.max(start + this.#segment.readableBytes, missing ? this.#provenEnd : 0),
      lastAppendedAtMs: end.appendedAtMs,
      tornBytes,
      isAppendable,
      wasUnclean: start + this.#segment.readableBytes !== this.#checkpoint?.provenEnd || tornBytes > 0 || !isAppendable,
    }
  }

  async #scan(): Promise<void> {
    const progress = this.#progress
    const read = (target: Uint8Array, at: number) => this.#file.read(target, at)
    const scan = new SegmentScan(read, this.#segment.header, { from: progress.at, end: this.#fileBytes })
    for (let found = await scan.next(); found !== undefined; found = await scan.next()) {
      if (found.header !== undefined) this.#provenEnd = Math.max(this.#provenEnd, found.header.provenEnd)
      if (found.kind === 'damage') this.#damages.push({ ...progress, at: found.at, damage: found })
      else {
        progress.nextOffset = found.header.lastOffset + 1
        progress.appendedAtMs = Math.max(progress.appendedAtMs, found.header.appendedAtMs)
        this.#segment.index.note(found.header.baseOffset, found.at, found.header.appendedAtMs)
      }
      progress.at = found.end
    }
  }

  /** The next offset, counting as used all that the bytes lost at the very end could have held. */
  #offsetAfter(end: Readonly<Progress>, reachesFileEnd: boolean): number {
    const last = this.#damages.at(-1)
    if (!reachesFileEnd || last === undefined || last.damage.end !== this.#fileBytes) return end.nextOffset
    const known = last.damage.header
    if (known !== undefined) return known.lastOffset + 1
    return last.nextOffset + Math.ceil((last.damage.end - last.at) / RECORD_HEADER_BYTES)
  }

  /**
   * Cuts the torn end off and makes the rest durable. What no sync is known to have covered is written again first:
   * after a sync that failed, the system may hold such pages as clean, and a new sync alone would do nothing for them.
   */
  async #repair(tornBytes: number): Promise<void> {
    const end = this.#segment.readableBytes
    if (tornBytes > 0) await this.#file.truncate(end)
    const proven = Math.max(SEGMENT_HEADER_BYTES, this.#provenEnd - this.#segment.header.startPosition)
    for (let at = proven; at < end; at += COPY_BYTES) {
      const bytes = Buffer.allocUnsafeSlow(Math.min(COPY_BYTES, end - at))
      await this.#file.read(bytes, at)
      await this.#file.writev([bytes], at)
    }
    if (tornBytes > 0 || proven < end) await this.#file.datasync()
  }
}
