import { type Disk, type DiskFile, SkeinError } from '../core/index.ts'
import { BATCH_MAGIC, readBatchHeader } from './batch-header.ts'
import type { Checkpoint } from './checkpoint.ts'
import { baseOffsetOf, indexFile, quarantineFile, Segment, segmentFile } from './segment.ts'
import { decodeSegmentHeader, SEGMENT_HEADER_BYTES, type SegmentHeader } from './segment-header.ts'

const AT_ONCE = 16
const SEARCHED_BYTES = 4 * 1024 * 1024

/**
 * Finds the segments of a log by the names of their files and reads their headers, nothing more. Files that a crash
 * left unfinished, and segments that a compaction had already merged into their neighbour, are removed.
 */
export async function loadSegments(
  disk: Disk,
  directory: string,
  checkpoint: Checkpoint | undefined,
): Promise<Segment[]> {
  const names = await disk.list(directory)
  for (const name of names) if (name.endsWith('.new')) await disk.remove(`${directory}/${name}`)
  const bases = names.map((name) => baseOffsetOf(name, 'segment')).filter((base) => base !== undefined)
  const marked = new Set(names.map((name) => baseOffsetOf(name, 'quarantined')))
  const loaded: Segment[] = []
  for (let index = 0; index < bases.length; index += AT_ONCE) {
    const some = bases.slice(index, index + AT_ONCE)
    loaded.push(...(await Promise.all(some.map((base) => loadSegment(disk, directory, base, checkpoint)))))
  }
  const segments: Segment[] = []
  for (const segment of loaded) {
    if (segment.baseOffset < (segments.at(-1)?.header.compacted?.endOffset ?? 0)) {
      await removeSegment(disk, directory, segment)
      continue
    }
    if (marked.has(segment.baseOffset)) segment.damage ??= await readReason(disk, directory, segment)
    segments.push(segment)
  }
  const startOffset = checkpoint?.startOffset ?? 0
  for (const [index, segment] of segments.entries()) {
    const next = segments[index + 1]
    // Before the start a deletion may have been interrupted: holes there are no damage.
    if (next === undefined || next.baseOffset > startOffset) limitToWritten(segment, next)
  }
  return segments
}

/** Removes the segment's file and what was derived from it. */
export async function removeSegment(disk: Disk, directory: string, segment: Segment): Promise<void> {
  for (const name of [indexFile(segment.baseOffset), segment.file]) {
    await disk.remove(`${directory}/${name}`).catch((error: unknown) => {
      if (!(error instanceof SkeinError) || error.code !== 'not-found') throw error
    })
  }
}

async function loadSegment(
  disk: Disk,
  directory: string,
  baseOffset: number,
  checkpoint: Checkpoint | undefined,
): Promise<Segment> {
  const name = segmentFile(baseOffset)
  const file = await disk.open(`${directory}/${name}`, 'read')
  try {
    const bytes = await file.size()
    const start = Buffer.alloc(Math.min(bytes, SEGMENT_HEADER_BYTES))
    await file.read(start, 0)
    const header = decodeSegmentHeader(start, name)
    if (header !== undefined && header.baseOffset === baseOffset)
      return new Segment(header, bytes, { isIndexed: false })
    const segment = new Segment(await guessHeader(file, baseOffset, checkpoint), bytes, { isIndexed: false })
    segment.damage = 'its header is damaged'
    return segment
  } finally {
    await file.close()
  }
}

/** Batches say what they belong to, so that a segment whose own header is lost can still be read. */
async function guessHeader(
  file: DiskFile,
  baseOffset: number,
  checkpoint: Checkpoint | undefined,
): Promise<SegmentHeader> {
  const guess = { baseOffset, createdAtMs: 0, compacted: undefined }
  const known = checkpoint?.segment
  if (known?.baseOffset === baseOffset) return { ...guess, id: known.id, startPosition: known.startPosition }
  const bytes = Buffer.alloc(Math.min(await file.size(), SEARCHED_BYTES))
  await file.read(bytes, 0)
  for (let at = bytes.indexOf(BATCH_MAGIC); at !== -1; at = bytes.indexOf(BATCH_MAGIC, at + 1)) {
    const header = readBatchHeader(bytes, at)
    if (header === undefined || header.position < at || header.baseOffset < baseOffset) continue
    return { ...guess, id: header.segmentId, startPosition: header.position - at }
  }
  return { ...guess, id: -1, startPosition: 0 }
}

/** A segment with one behind it was synced to its end before that one began: what is missing of it was lost since. */
function limitToWritten(segment: Segment, next: Segment | undefined): void {
  const { compacted, startPosition } = segment.header
  const written = compacted?.fileBytes ?? (next === undefined ? undefined : next.header.startPosition - startPosition)
  if (written === undefined || (next !== undefined && next.header.id === -1)) return
  if (segment.readableBytes < written) segment.damage ??= 'its file is shorter than what was written'
  segment.readableBytes = Math.min(segment.readableBytes, written)
}

async function readReason(disk: Disk, directory: string, segment: Segment): Promise<string> {
  const file = await disk.open(`${directory}/${quarantineFile(segment.baseOffset)}`, 'read')
  try {
    const text = Buffer.alloc(Math.min(await file.size(), 1024))
    await file.read(text, 0)
    return text.toString('utf8').trim() || 'damaged'
  } finally {
    await file.close()
  }
}
