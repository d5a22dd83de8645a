import { SkeinError } from '../../../core/index.ts'
import { type LogBatch, recordCursor } from '../../../log/index.ts'
import type { HeldMessage } from '../../kit/index.ts'
import type { Collector, OpenBatch } from './collector.ts'
import { isExpired } from './feed.ts'
import { locatedError } from './located-error.ts'
import type { Partition } from './partition.ts'

export interface Redelivered {
  /** Not to be given: expired, or gone by compaction. */
  readonly missing: readonly number[]
  /** The one that could not be read; `isGone` when it never will be. */
  readonly lost?: { readonly offset: number; readonly error: unknown; readonly isGone: boolean }
}

/** Reads held messages again and puts them into the collector, up to the first that cannot be read. */
export async function collectOffsets(
  partition: Partition,
  what: { readonly due: readonly HeldMessage[]; readonly collector: Collector; readonly nowMs: number },
): Promise<Redelivered> {
  const missing: number[] = []
  let open: OpenBatch | undefined
  for (const message of what.due) {
    if (message.offset < partition.log.startOffset) {
      return { missing, lost: { offset: message.offset, error: goneError(partition), isGone: true } }
    }
    if (open === undefined || open.batch.lastOffset < message.offset) {
      try {
        open = await openAt(partition, message.offset)
      } catch (error) {
        const isGone = error instanceof SkeinError && error.code === 'corrupt'
        return { missing, lost: { offset: message.offset, error: locatedError(error, partition), isGone } }
      }
    }
    const isThere = open !== undefined && advance(open, message.offset)
    if (isThere && !isExpired(open!, partition, what.nowMs)) what.collector.addRecord(open!, message.attempts + 1)
    else missing.push(message.offset)
  }
  return { missing }
}

/** Says once, of all that waited for a retry or behind one, that retention was faster. */
export function goneError({ settings, log, index }: Partition): SkeinError {
  const { startOffset } = log
  const message =
    `Cannot give messages of "${settings.name}" again that waited for a retry or behind one: retention has taken all ` +
    `before offset ${startOffset} of partition ${index}, and they left no dead letters; keep messages for longer, or retry sooner`
  return new SkeinError('position-gone', message, { details: { topic: settings.name, partition: index, startOffset } })
}

/** The stored batch around an offset; undefined when retention took it. */
export async function openAt(partition: Partition, offset: number): Promise<OpenBatch | undefined> {
  const { log } = partition
  if (offset < log.startOffset) return undefined
  const batch: LogBatch | undefined = (await log.read(offset, 1))[0]
  if (batch === undefined || batch.baseOffset > offset) return undefined
  return { batch, cursor: recordCursor(batch.body, batch.baseOffset, batch.firstTimestampMs) }
}

/** Moves forward to the record with that offset; false when there is none. */
export function advance(open: OpenBatch, offset: number): boolean {
  const { cursor } = open
  while (cursor.offset < offset) if (!cursor.next()) return false
  return cursor.offset === offset
}
