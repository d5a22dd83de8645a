import type { Cluster, RetryOptions } from '../cluster.ts'
import { KAFKA, protocolErrorOf } from '../kafka-error.ts'
import { Compressor } from '../protocol/compression.ts'
import { decodeBatches, type FetchedBatch } from '../protocol/decode-batches.ts'
import { fetchBatches } from '../protocol/fetch-request.ts'

const BYTES_MAX = 256 * 1024

/** The first batch with records at an offset or behind it, fetched at once; undefined when there is none. */
export async function readOnce(
  cluster: Cluster,
  from: { readonly topic: string; readonly partition: number; readonly offset: number } & RetryOptions,
): Promise<FetchedBatch | undefined> {
  const batches = await readBatches(cluster, from)
  return batches.find((batch) => batch.count > 0)
}

/** Batches from an offset on, as many as one fetch brings; none when it is at the end, or retention took it. */
export function readBatches(
  cluster: Cluster,
  from: {
    readonly topic: string
    readonly partition: number
    readonly offset: number
    readonly bytesMax?: number
  } & RetryOptions,
): Promise<readonly FetchedBatch[]> {
  const { topic, partition, offset, bytesMax = BYTES_MAX } = from
  const tools = { topic, compressor: new Compressor(cluster.kafka), crc32c: cluster.kafka.crc32c }
  return cluster.askLeader(
    { topic, partition },
    async (connection) => {
      const request = { topic, from: [{ partition, offset, bytesMax }], waitMs: 0, bytesMax }
      const [fetched] = await fetchBatches(cluster.kafka, connection, request)
      if (fetched === undefined || fetched.errorCode === KAFKA.OFFSET_OUT_OF_RANGE) return []
      if (fetched.errorCode !== 0) throw protocolErrorOf(cluster.kafka, fetched.errorCode)
      return (await decodeBatches(fetched, tools)).filter((batch) => batch.lastOffset >= offset)
    },
    { action: `read partition ${partition} of "${topic}"`, signal: from.signal },
  )
}
