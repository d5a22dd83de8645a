import type { Position, StartPosition } from '../../index.ts'

/** Where to read from: what the port says, for one partition. */
export type FeedStart = 'earliest' | 'latest' | number | { readonly timestampMs: number }

/** What a start position means in one partition; undefined when it names only other partitions. */
export function feedStart(start: StartPosition, partition: number): FeedStart | undefined {
  if (start === 'earliest' || start === 'latest' || 'timestampMs' in start) return start as FeedStart
  const positions: readonly Position[] = 'partition' in start ? [start] : start
  return positions.find((position) => position.partition === partition)?.sequence
}
