import { SkeinError } from '../../../src/core/index.ts'
import { type Log, type LogBatch, recordCursor } from '../../../src/log/index.ts'

/** All that a log gives, and what it says it cannot give. */
export interface ReadBack {
  readonly startOffset: number
  readonly endOffset: number
  /** In the order they were given. */
  readonly records: ReadonlyArray<{ readonly offset: number; readonly text: string }>
  /** Ranges that a typed error named as lost. */
  readonly lost: ReadonlyArray<{ readonly from: number; readonly to: number }>
  /** Errors that are no `corrupt` naming where to go on. */
  readonly failures: readonly unknown[]
}

/** Reads a log from its start to its end, going on behind what is reported as lost. */
export async function readBack(log: Log, maxBytes = 16 * 1024): Promise<ReadBack> {
  const records: Array<{ offset: number; text: string }> = []
  const lost: Array<{ from: number; to: number }> = []
  const failures: unknown[] = []
  let from = log.startOffset
  while (from < log.endOffset) {
    try {
      const batches = await log.read(from, maxBytes)
      if (batches.length === 0) break
      for (const batch of batches) from = takeBatch(batch, from, records)
    } catch (error) {
      const resume = error instanceof SkeinError && error.code === 'corrupt' ? error.details.resumeOffset : undefined
      if (typeof resume !== 'number' || resume <= from) {
        failures.push(error)
        break
      }
      lost.push({ from, to: resume })
      from = resume
    }
  }
  return { startOffset: log.startOffset, endOffset: log.endOffset, records, lost, failures }
}

function takeBatch(batch: LogBatch, from: number, records: Array<{ offset: number; text: string }>): number {
  const cursor = recordCursor(batch.body, batch.baseOffset, batch.firstTimestampMs)
  while (cursor.next()) {
    if (cursor.offset >= from) records.push({ offset: cursor.offset, text: cursor.valueText() })
  }
  return batch.lastOffset + 1
}
