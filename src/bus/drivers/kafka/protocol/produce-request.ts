import type { Connection } from '@platformatic/kafka'
import type { KafkaLibrary } from '../load-library.ts'

const PRODUCE_KEY = 0
const PRODUCE_VERSION = 9
const ACKS_ALL = -1

/** One batch for one partition, ready to be stored. */
export interface ProducePart {
  readonly topic: string
  readonly partition: number
  /** With its head. */
  readonly bytes: Buffer
}

export interface ProduceResult {
  readonly topic: string
  readonly partition: number
  /** 0: stored. */
  readonly errorCode: number
  /** -1 when the broker does not know it any more. */
  readonly baseOffset: number
  readonly message: string | undefined
}

export interface ProduceOptions {
  readonly timeoutMs: number
  readonly transactionalId: string | null
}

/**
 * Produce request version 9 with batches that were encoded here: the library would encode each message anew into buffers
 * of its own. Resolves to what the broker says of each part; rejects when it says nothing.
 */
export function produce(
  kafka: KafkaLibrary,
  connection: Connection,
  request: { readonly parts: readonly ProducePart[]; readonly options: ProduceOptions },
): Promise<readonly ProduceResult[]> {
  const { promise, resolve, reject } = Promise.withResolvers<readonly ProduceResult[]>()
  connection.send<readonly ProduceResult[]>(
    PRODUCE_KEY,
    PRODUCE_VERSION,
    () => createRequest(kafka, request.parts, request.options),
    (_correlation, _key, _version, reader) => parseResponse(reader),
    true,
    true,
    (error, results) => (error ? reject(error) : resolve(results!)),
  )
  return promise
}

function createRequest(kafka: KafkaLibrary, parts: readonly ProducePart[], options: ProduceOptions) {
  const topics = [...Map.groupBy(parts, (part) => part.topic)]
  return kafka.Writer.create()
    .appendString(options.transactionalId)
    .appendInt16(ACKS_ALL)
    .appendInt32(options.timeoutMs)
    .appendArray(topics, (writer, [topic, own]) => {
      writer.appendString(topic).appendArray(own, (inner, part) => {
        inner
          .appendInt32(part.partition)
          .appendUnsignedVarInt(part.bytes.length + 1)
          .append(part.bytes)
      })
    })
    .appendTaggedFields()
}

type Reader = InstanceType<KafkaLibrary['Reader']>

function parseResponse(reader: Reader): readonly ProduceResult[] {
  const results: ProduceResult[] = []
  reader.readArray((topicReader) => {
    const topic = topicReader.readString()
    topicReader.readArray((partReader) => {
      results.push(readPart(partReader, topic))
    })
  })
  return results
}

function readPart(reader: Reader, topic: string): ProduceResult {
  const partition = reader.readInt32()
  const errorCode = reader.readInt16()
  const baseOffset = Number(reader.readInt64())
  // The time of the append and the start of the log.
  reader.skip(16)
  const problems: string[] = []
  reader.readArray((problem) => {
    problem.readInt32()
    problems.push(problem.readNullableString() ?? '')
  })
  const message = reader.readNullableString() ?? problems.find((text) => text !== '')
  return { topic, partition, errorCode, baseOffset, message }
}
