import { SkeinError } from '../core/index.ts'
import type { SnapshotRef } from './snapshot-ref.ts'

/** Commands were handed over, and nobody can say yet whether they are or will be in the log. */
export class OutcomeUnknownError extends SkeinError {
  override readonly name = 'OutcomeUnknownError'

  constructor(
    why: string,
    options: { readonly cause?: unknown; readonly details?: Readonly<Record<string, unknown>> } = {},
  ) {
    super(
      'outcome-unknown',
      `Cannot say whether the append is in the log: ${why}; read on from what was known before`,
      {
        ...options,
      },
    )
  }
}

/** The entries that a reader asks for are in this snapshot, and no longer in the log. */
export class CompactedError extends SkeinError {
  override readonly name = 'CompactedError'
  readonly snapshot: SnapshotRef

  constructor(from: number, snapshot: SnapshotRef) {
    const message = `Cannot read entry ${from}: entries through ${snapshot.index} are in the snapshot ${snapshot.name}; restore it and read from ${snapshot.index + 1}`
    super('position-gone', message, { details: { from, snapshot } })
    this.snapshot = snapshot
  }
}
