import { crc32 } from 'node:zlib'
import { type DiskFile, SkeinError } from '../core/index.ts'
import type { LogState } from './log-state.ts'
import { indexFile, Segment, segmentFile } from './segment.ts'
import { encodeSegmentHeader, SEGMENT_HEADER_BYTES, type SegmentHeader } from './segment-header.ts'

export interface SegmentStart {
  readonly baseOffset: number
  readonly startPosition: number
  readonly createdAtMs: number
}

const ID_HIGH_MAX = 0x1f_ffff

/**
 * Creates the next segment: written and synced under another name, then renamed, then the directory is synced. A file
 * with a segment's name thus always has an intact header, and anything else is damage. A failure of a sync is marked
 * `details.unsynced`.
 */
export async function createSegment(
  state: LogState,
  start: SegmentStart,
): Promise<{ readonly segment: Segment; readonly file: DiskFile }> {
  const header: SegmentHeader = { ...start, id: newSegmentId(state, start), compacted: undefined }
  const segment = new Segment(header, SEGMENT_HEADER_BYTES, { isIndexed: true })
  const file = await createFile(state, `${segmentFile(start.baseOffset)}.new`)
  try {
    await file.writev([encodeSegmentHeader(header)], 0)
    await syncing(file.datasync())
    await state.disk.rename(`${state.directory}/${segment.file}.new`, `${state.directory}/${segment.file}`)
    await syncing(state.disk.syncDirectory(state.directory))
  } catch (error) {
    await file.close().catch(() => undefined)
    throw error
  }
  return { segment, file }
}

/** A new file under this name, in place of what an attempt that failed may have left. */
export async function createFile(state: LogState, name: string): Promise<DiskFile> {
  const path = `${state.directory}/${name}`
  if ((await state.disk.size(path)) !== undefined) await state.disk.remove(path)
  return state.disk.open(path, 'create')
}

/** Differs between segments of one log and, as far as 53 bits go, between logs: bytes of another file never fit. */
export function newSegmentId(state: LogState, start: SegmentStart): number {
  const nowMs = state.clock.nowMs()
  const text = `${state.directory} ${start.baseOffset} ${start.startPosition} ${nowMs} ${state.clock.monotonicMs()}`
  return (Math.floor(nowMs / 1000) % ID_HIGH_MAX) * 0x1_0000_0000 + crc32(text)
}

/** Keeps a closed segment's index. It is derived: a failure costs a scan later, nothing else. */
export async function writeIndex(state: LogState, segment: Segment): Promise<void> {
  if (!segment.isIndexed) return
  try {
    const file = await createFile(state, indexFile(segment.baseOffset))
    await file.writev([segment.index.encode(segment.header.id)], 0)
    await file.close()
  } catch {}
}

async function syncing(done: Promise<void>): Promise<void> {
  try {
    await done
  } catch (cause) {
    throw new SkeinError('io-failed', (cause as Error).message, { cause, details: { unsynced: true } })
  }
}
