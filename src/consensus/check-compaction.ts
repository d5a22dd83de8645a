import { SkeinError } from '../core/index.ts'
import type { SnapshotRef } from './snapshot-ref.ts'

/** Throws `bad-argument` unless entries through `through` may be let go of for that snapshot. */
export function checkCompaction(through: number, snapshot: SnapshotRef, committed: number): void {
  const index = snapshot?.index
  if (!Number.isSafeInteger(through) || !Number.isSafeInteger(index)) {
    const message = `Cannot compact through entry ${through} for a snapshot at ${index}: both must be whole numbers`
    throw new SkeinError('bad-argument', message)
  }
  if (through <= index && index <= committed) return
  const message = `Cannot compact through entry ${through} for a snapshot at ${index}: it must not be beyond the snapshot, nor that beyond what is committed, ${committed}`
  throw new SkeinError('bad-argument', message)
}
