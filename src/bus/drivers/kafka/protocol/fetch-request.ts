import type { Connection } from '@platformatic/kafka'
import type { KafkaLibrary } from '../load-library.ts'
import type { AbortedTransaction } from './aborted-batches.ts'

const FETCH_KEY = 1
const FETCH_VERSION = 12
const READ_COMMITTED = 1
const NO_SESSION = -1

export interface FetchFrom {
  readonly partition: number
  readonly offset: number
  readonly bytesMax: number
}

export interface FetchRequest {
  readonly topic: string
  readonly from: readonly FetchFrom[]
  readonly waitMs: number
  readonly bytesMax: number
}

export interface FetchedPartition {
  readonly partition: number
  /** 0: the rest counts. */
  readonly errorCode: number
  /** Behind the last offset that readers of committed records may see. */
  readonly lastStableOffset: number
  readonly logStartOffset: number
  readonly aborted: readonly AbortedTransaction[]
  /** Record batches as stored; the last may be cut off. */
  readonly bytes: Buffer
}

/**
 * Fetch request version 12, of committed records only. The batches come back as bytes: the library would decode every
 * record at once, and its filter of aborted ones lets some through.
 */
export function fetchBatches(
  kafka: KafkaLibrary,
  connection: Connection,
  request: FetchRequest,
): Promise<readonly FetchedPartition[]> {
  const { promise, resolve, reject } = Promise.withResolvers<readonly FetchedPartition[]>()
  connection.send<readonly FetchedPartition[]>(
    FETCH_KEY,
    FETCH_VERSION,
    () => createRequest(kafka, request),
    (_correlation, _key, _version, reader) => parseResponse(kafka, reader),
    true,
    true,
    (error, fetched) => (error ? reject(error) : resolve(fetched!)),
  )
  return promise
}

function createRequest(kafka: KafkaLibrary, { topic, from, waitMs, bytesMax }: FetchRequest) {
  const partitions = from.map((one) => ({
    partition: one.partition,
    currentLeaderEpoch: -1,
    fetchOffset: BigInt(one.offset),
    lastFetchedEpoch: -1,
    partitionMaxBytes: one.bytesMax,
  }))
  // The library's type asks for a topic id; what version 12 sends there is the name.
  const topics = [{ topicId: topic, partitions }]
  return kafka.fetchV12.createRequest(waitMs, 1, bytesMax, READ_COMMITTED, 0, NO_SESSION, topics, [], '')
}

type Reader = InstanceType<KafkaLibrary['Reader']>

function parseResponse(kafka: KafkaLibrary, reader: Reader): readonly FetchedPartition[] {
  reader.readInt32()
  const errorCode = reader.readInt16()
  if (errorCode !== 0) throw new kafka.ProtocolError(errorCode)
  reader.readInt32()
  const fetched: FetchedPartition[] = []
  reader.readArray((topic) => {
    topic.readString()
    topic.readArray((partition) => {
      fetched.push(readPartition(partition))
    })
  })
  return fetched
}

function readPartition(reader: Reader): FetchedPartition {
  const partition = reader.readInt32()
  const errorCode = reader.readInt16()
  // The high watermark: readers of committed records go by the stable offset.
  reader.readInt64()
  const lastStableOffset = Number(reader.readInt64())
  const logStartOffset = Number(reader.readInt64())
  const aborted =
    reader.readNullableArray((one) => ({
      producerId: one.readInt64(),
      firstOffset: Number(one.readInt64()),
    })) ?? []
  // The preferred replica.
  reader.readInt32()
  const length = Math.max(0, reader.readUnsignedVarInt() - 1)
  const bytes = reader.buffer.slice(reader.position, reader.position + length)
  reader.skip(length)
  return { partition, errorCode, lastStableOffset, logStartOffset, aborted, bytes }
}
