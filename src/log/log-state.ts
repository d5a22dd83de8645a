import type { Clock, Disk } from '../core/index.ts'
import type { CheckpointFile } from './checkpoint.ts'
import type { Segment } from './segment.ts'
import type { SegmentFiles } from './segment-files.ts'
import type { Tail } from './tail.ts'

/** What the parts of one open log share. */
export interface LogState {
  readonly disk: Disk
  readonly clock: Clock
  readonly directory: string
  readonly files: SegmentFiles
  readonly checkpoint: CheckpointFile
  readonly tail: Tail
  /** Ascending. Replaced as a whole when it changes, so that a reader can tell. */
  segments: readonly Segment[]
  /** The one appends go to; undefined until the first append needs one. */
  active: Segment | undefined
  startOffset: number
  /** One past the last record that readers may see. */
  endOffset: number
}
