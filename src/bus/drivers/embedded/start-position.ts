import type { Position, StartPosition } from '../../index.ts'
import type { Partition } from './partition.ts'

/** The offset that a start position means in a partition; undefined when it names only other partitions. */
export async function startOffset(partition: Partition, start: StartPosition): Promise<number | undefined> {
  const { log, index } = partition
  if (start === 'earliest') return log.startOffset
  if (start === 'latest') return log.endOffset
  if ('timestampMs' in start) return log.offsetAtTime(start.timestampMs)
  const positions: readonly Position[] = 'partition' in start ? [start] : start
  return positions.find((position) => position.partition === index)?.sequence
}
