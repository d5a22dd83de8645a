import type { Position, StartPosition } from '../../../index.ts'
import type { Cluster } from '../cluster.ts'
import { listOffsets } from './list-offsets.ts'

/** The offset that a start position means in each of the partitions; those it does not name are left out. */
export async function startOffsets(
  cluster: Cluster,
  topic: string,
  start: { readonly from: StartPosition; readonly partitions: readonly number[] },
): Promise<ReadonlyMap<number, number>> {
  const { from, partitions } = start
  if (from === 'earliest' || from === 'latest') return listOffsets(cluster, { topic, at: from, partitions })
  if ('timestampMs' in from) return listOffsets(cluster, { topic, at: from, partitions })
  const positions: readonly Position[] = 'partition' in from ? [from] : from
  const named = positions.filter(({ partition }) => partitions.includes(partition))
  return new Map(named.map(({ partition, sequence }) => [partition, sequence]))
}
