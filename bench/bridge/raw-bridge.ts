import { AckPolicy, jetstream, jetstreamManager } from '@nats-io/jetstream'
import { connect } from '@nats-io/transport-node'
import { compatibilityPartitioner, ProduceAcks, Producer } from '@platformatic/kafka'

export interface RawRun {
  readonly natsUrl: string
  readonly stream: string
  /** What stands before the message's own subject. */
  readonly prefixLength: number
  readonly kafkaUrl: string
  readonly topic: string
  readonly messages: number
  /** A new name for each run. */
  readonly name: string
}

/** Messages of one produce request: more of them are larger than a broker takes by default. */
const BATCH = 2_048
/** Fetched and not yet acknowledged. */
const WINDOW = 4 * BATCH

/**
 * What the two client libraries do by themselves, used as well as they can be: a pull consumer with cumulative acknowledgments, and one
 * idempotent send of a large batch under way while the next is gathered. Keys, headers, subjects and times go along.
 */
export async function rawBridge(run: RawRun): Promise<number> {
  const connection = await connect({ servers: run.natsUrl })
  const producer = new Producer<string, Buffer, string, string>({
    clientId: run.name,
    bootstrapBrokers: [new URL(run.kafkaUrl).host],
    serializers: {
      key: (text) => Buffer.from(text ?? ''),
      value: (bytes) => bytes,
      headerKey: (text) => Buffer.from(text ?? ''),
      headerValue: (text) => Buffer.from(text ?? ''),
    },
    idempotent: true,
    acks: ProduceAcks.ALL,
    partitioner: compatibilityPartitioner,
  })
  try {
    const manager = await jetstreamManager(connection)
    await manager.consumers.add(run.stream, {
      durable_name: run.name,
      ack_policy: AckPolicy.All,
      max_ack_pending: WINDOW,
    })
    const consumer = await jetstream(connection).consumers.get(run.stream, run.name)
    const messages = await consumer.consume({ max_messages: WINDOW })
    let startMs: number | undefined
    let sending: Promise<void> = Promise.resolve()
    let batch: Parameters<typeof producer.send>[0]['messages'] = []
    let count = 0
    for await (const message of messages) {
      startMs ??= performance.now()
      const headers = new Map<string, string>([['ce_subject', message.subject.slice(run.prefixLength)]])
      for (const [name, values] of message.headers ?? []) if (!name.startsWith('Nats-')) headers.set(name, values[0]!)
      const key = message.headers?.get('skeinkey') ?? ''
      const timestamp = BigInt(message.headers?.get('skeintime') ?? 0)
      batch.push({ topic: run.topic, key, value: message.data as Buffer, headers, timestamp })
      count += 1
      if (batch.length < BATCH && count < run.messages) continue
      const full = batch
      batch = []
      await sending
      sending = producer.send({ messages: full }).then(() => message.ack())
      if (count === run.messages) break
    }
    await sending
    await connection.flush()
    return performance.now() - startMs!
  } finally {
    await producer.close()
    await connection.close()
  }
}
