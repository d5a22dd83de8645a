import { SEGMENT_HEADER_BYTES, type SegmentHeader } from './segment-header.ts'
import { SparseIndex } from './sparse-index.ts'

const DIGITS = 20

/** One file of a log, as far as it may be read. The bytes are reached through `SegmentFiles`. */
export class Segment {
  readonly file: string
  readonly header: SegmentHeader
  /** Bytes of the file that may be read: for the one being written, what readers may see. */
  readableBytes: number
  index: SparseIndex
  /** Where the index does not yet reach: it is built when a read needs it. */
  isIndexed: boolean
  /** Why it was quarantined, if it was. */
  damage: string | undefined

  constructor(header: SegmentHeader, readableBytes: number, options: { readonly isIndexed: boolean }) {
    this.file = segmentFile(header.baseOffset)
    this.header = header
    this.readableBytes = readableBytes
    this.index = new SparseIndex()
    this.isIndexed = options.isIndexed
  }

  get baseOffset(): number {
    return this.header.baseOffset
  }

  /** Position in the log of the end of what may be read. */
  get endPosition(): number {
    return this.header.startPosition + this.readableBytes
  }

  get isEmpty(): boolean {
    return this.readableBytes <= SEGMENT_HEADER_BYTES
  }
}

export function segmentFile(baseOffset: number): string {
  return `${baseOffset.toString().padStart(DIGITS, '0')}.segment`
}

export function indexFile(baseOffset: number): string {
  return `${baseOffset.toString().padStart(DIGITS, '0')}.index`
}

/** Marks a quarantined segment, so that it is known without reading it: its text is the reason. */
export function quarantineFile(baseOffset: number): string {
  return `${baseOffset.toString().padStart(DIGITS, '0')}.quarantined`
}

/** The base offset in the name of a file with this ending, or undefined for another file. */
export function baseOffsetOf(file: string, ending: string): number | undefined {
  const match = /^(\d{20})\.([a-z]+)$/.exec(file)
  return match?.[2] === ending ? Number(match[1]) : undefined
}
