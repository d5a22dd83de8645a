import type { Cluster, RetryOptions } from '../cluster.ts'

export interface OffsetQuery extends RetryOptions {
  readonly topic: string
  /** `latest`: behind the last committed record. A time: of the first record appended at it or later, else the latest. */
  readonly at: 'earliest' | 'latest' | { readonly timestampMs: number }
  /** Default: all. */
  readonly partitions?: readonly number[]
}

const READ_COMMITTED = 1
const LATEST = -1n
const EARLIEST = -2n

/** The offset of each partition that the query means. */
export async function listOffsets(cluster: Cluster, query: OffsetQuery): Promise<ReadonlyMap<number, number>> {
  const info = await cluster.retrying(`find the place of "${query.topic}"`, () => cluster.topic(query.topic), query)
  const partitions = query.partitions ?? info?.partitions.map((_, index) => index) ?? []
  const offsets = await Promise.all(partitions.map((partition) => offsetOf(cluster, query, partition)))
  return new Map(partitions.map((partition, index) => [partition, offsets[index]!]))
}

async function offsetOf(cluster: Cluster, query: OffsetQuery, partition: number): Promise<number> {
  const { at, topic } = query
  const timestamp = at === 'latest' ? LATEST : at === 'earliest' ? EARLIEST : BigInt(Math.floor(at.timestampMs))
  const found = await askOffset(cluster, query, { partition, timestamp })
  if (found >= 0 || typeof at === 'string') return found
  return askOffset(cluster, { ...query, topic }, { partition, timestamp: LATEST })
}

function askOffset(
  cluster: Cluster,
  query: OffsetQuery,
  of: { readonly partition: number; readonly timestamp: bigint },
): Promise<number> {
  const { topic, signal } = query
  const request = { partitionIndex: of.partition, currentLeaderEpoch: -1, timestamp: of.timestamp }
  return cluster.askLeader(
    { topic, partition: of.partition },
    async (connection) => {
      const topics = [{ name: topic, partitions: [request] }]
      const answer = await cluster.kafka.listOffsetsV7.api.async(connection, -1, READ_COMMITTED, topics)
      return Number(answer.topics[0]!.partitions[0]!.offset)
    },
    { action: `find the place of partition ${of.partition} of "${topic}"`, signal },
  )
}
