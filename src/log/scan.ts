import {
  BATCH_HEADER_BYTES,
  BATCH_MAGIC,
  BATCH_VERSION,
  type BatchHeader,
  bodyCrcOf,
  readBatchHeader,
} from './batch-header.ts'
import { futureVersion, type SegmentHeader } from './segment-header.ts'

/** What stands at a place of a segment's file: a whole batch, or bytes that are none. */
export type Scanned =
  | { readonly kind: 'batch'; readonly at: number; readonly end: number; readonly header: BatchHeader }
  | {
      readonly kind: 'damage'
      readonly at: number
      /** Where the next intact header begins, or the end of what was scanned. */
      readonly end: number
      readonly reason: string
      /** When the header is intact and only the body is not. */
      readonly header: BatchHeader | undefined
    }

type ReadAt = (target: Uint8Array, at: number) => Promise<number>

const WINDOW_BYTES = 512 * 1024

/**
 * Walks the batches of one segment's file, past damage: after bytes that are no batch it looks for the next intact
 * header of this segment that says it stands where it is found.
 */
export class SegmentScan {
  readonly #read: ReadAt
  readonly #segment: SegmentHeader
  readonly #end: number
  #at: number
  #window: Buffer = Buffer.alloc(0)
  #windowAt = 0
  /** The file ended before the window did. */
  #isShort = false

  constructor(read: ReadAt, segment: SegmentHeader, range: { readonly from: number; readonly end: number }) {
    this.#read = read
    this.#segment = segment
    this.#at = range.from
    this.#end = range.end
  }

  async next(): Promise<Scanned | undefined> {
    const at = this.#at
    if (at >= this.#end) return undefined
    const header = await this.#headerAt(at)
    const found = header === undefined ? await this.#damageAt(at) : await this.#batchAt(at, header)
    this.#at = found.end
    return found
  }

  /** The bytes of a batch that `next` gave just now: valid until the next call. */
  bytesOf(batch: Scanned): Buffer {
    return this.#window.subarray(batch.at - this.#windowAt, batch.end - this.#windowAt)
  }

  async #batchAt(at: number, header: BatchHeader): Promise<Scanned> {
    const end = at + BATCH_HEADER_BYTES + header.bodyBytes
    if (end > this.#end) return { kind: 'damage', at, end: this.#end, reason: 'a batch is cut short', header }
    await this.#fill(at, end - at)
    const body = this.#window.subarray(at + BATCH_HEADER_BYTES - this.#windowAt, end - this.#windowAt)
    if (body.byteLength === header.bodyBytes && bodyCrcOf([body]) === header.bodyCrc) {
      return { kind: 'batch', at, end, header }
    }
    return { kind: 'damage', at, end, reason: 'the checksum of a batch is wrong', header }
  }

  async #damageAt(at: number): Promise<Scanned> {
    const end = (await this.#findHeader(at + 1)) ?? this.#end
    return { kind: 'damage', at, end, reason: 'bytes that are no batch', header: undefined }
  }

  async #findHeader(from: number): Promise<number | undefined> {
    for (let at = from; at < this.#end; ) {
      await this.#fill(at, Math.min(WINDOW_BYTES, this.#end - at))
      const found = this.#window.indexOf(BATCH_MAGIC, at - this.#windowAt)
      if (found === -1) {
        const windowEnd = this.#windowAt + this.#window.byteLength
        if (windowEnd >= this.#end || this.#isShort) return undefined
        at = windowEnd - BATCH_MAGIC.byteLength + 1
        continue
      }
      const candidate = this.#windowAt + found
      if ((await this.#headerAt(candidate)) !== undefined) return candidate
      at = candidate + 1
    }
    return undefined
  }

  async #headerAt(at: number): Promise<BatchHeader | undefined> {
    await this.#fill(at, Math.min(BATCH_HEADER_BYTES, this.#end - at))
    return ownHeader(this.#window, at - this.#windowAt, at, this.#segment)
  }

  /** Makes the window hold `bytes` from `at`, as far as the file goes. */
  async #fill(at: number, bytes: number): Promise<void> {
    if (at >= this.#windowAt && at + bytes <= this.#windowAt + this.#window.byteLength) return
    const size = Math.min(Math.max(bytes, WINDOW_BYTES), this.#end - at)
    const window = Buffer.allocUnsafeSlow(size)
    const got = await this.#read(window, at)
    this.#window = window.subarray(0, got)
    this.#windowAt = at
    this.#isShort = got < size
  }
}

/** The intact header at `at` of `source`, which stands at `fileAt` of the file, if it belongs there. */
export function ownHeader(source: Buffer, at: number, fileAt: number, segment: SegmentHeader): BatchHeader | undefined {
  const header = readBatchHeader(source, at)
  if (header === undefined || header.segmentId !== segment.id) return undefined
  if (header.position !== segment.startPosition + fileAt) return undefined
  if (!header.isKnown) throw futureVersion('a batch', source[at + 4]!, BATCH_VERSION)
  return header
}
