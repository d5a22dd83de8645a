import type { Lag } from '../../../index.ts'
import type { Cluster } from '../cluster.ts'
import { listOffsets } from './list-offsets.ts'
import { readOnce } from './read-once.ts'

export interface LagPlace {
  readonly topic: string
  readonly partition: number
  /** Everything below it is done. */
  readonly committed: number
  readonly group: string | undefined
}

/** How far behind a place is: in messages, and in seconds since the oldest of them was appended. */
export async function lagOf(cluster: Cluster, place: LagPlace): Promise<Lag> {
  const { topic, partition, group, committed } = place
  const lag = { topic, group, partition }
  const partitions = [partition]
  const [starts, ends] = await Promise.all([
    listOffsets(cluster, { topic, at: 'earliest', partitions }),
    listOffsets(cluster, { topic, at: 'latest', partitions }),
  ])
  const from = Math.max(committed, starts.get(partition)!)
  const messages = Math.max(0, ends.get(partition)! - from)
  if (messages === 0) return { ...lag, messages, seconds: 0 }
  const oldest = await readOnce(cluster, { topic, partition, offset: from })
  if (oldest === undefined) return { ...lag, messages: 0, seconds: 0 }
  return { ...lag, messages, seconds: Math.max(0, cluster.clock.nowMs() - oldest.maxTimestampMs) / 1000 }
}
