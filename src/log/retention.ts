import type { Retention } from './log.ts'
import type { Segment } from './segment.ts'

/**
 * How many of the oldest segments the retention lets go. The last is kept always. A segment is older than the age when
 * the one behind it was begun before: its newest batch is then older too.
 */
export function countExpired(segments: readonly Segment[], retention: Retention, nowMs: number): number {
  let bytes = segments.reduce((sum, segment) => sum + segment.readableBytes, 0)
  let count = 0
  while (count < segments.length - 1) {
    const isTooOld = retention.ageMs !== undefined && segments[count + 1]!.header.createdAtMs <= nowMs - retention.ageMs
    const isTooMuch = retention.bytes !== undefined && bytes > retention.bytes
    if (!isTooOld && !isTooMuch) break
    bytes -= segments[count]!.readableBytes
    count += 1
  }
  return count
}
