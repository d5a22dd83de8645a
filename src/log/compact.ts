import { UnsupportedError } from '../core/index.ts'
import type { LogState } from './log-state.ts'
import type { SegmentReader } from './segment-reader.ts'

export async function compactSegments(
  _state: LogState,
  _reader: SegmentReader,
  _options: { readonly tombstoneMs: number; readonly nowMs: number },
): Promise<void> {
  throw new UnsupportedError('compaction', 'it is being built')
}
