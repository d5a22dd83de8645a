import { compatibilityPartitioner, ProduceAcks, Producer } from '@platformatic/kafka'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { type PositionReport, PositionSchema, positionReport } from '../channel/position-report.ts'
import type { DriverBench, RunRequest } from './driver-bench.ts'
import { checkStored, onKafka, publishOnKafka } from './kafka-bus.ts'
import { WINDOW } from './publish-all.ts'

/** Kafka: until everything is acknowledged by all replicas; then all of it is read back and counted. */
export const kafkaBench: DriverBench = {
  service: 'kafka',
  messages: 100_000,
  ratioMin: 0.9,
  ours({ url }, run) {
    return publishOnKafka(url, run)
  },
  other({ url }, run) {
    return onKafka(url, run, async ({ bus }) => {
      const ms = await produceAll(new URL(url).host, run)
      await checkStored(bus, run.name, run.messages)
      return { ms, durability: 'written' }
    })
  },
}

/** One idempotent send of half a window under way while the next half is gathered: more at once the library does not send in order. */
async function produceAll(broker: string, { name, messages }: RunRequest): Promise<number> {
  const text = (value: string | undefined) => Buffer.from(value ?? '')
  const producer = new Producer<string, string, string, string>({
    clientId: name,
    bootstrapBrokers: [broker],
    serializers: { key: text, value: text, headerKey: text, headerValue: text },
    idempotent: true,
    acks: ProduceAcks.ALL,
    partitioner: compatibilityPartitioner,
  })
  const validate = new Ajv2020().compile<PositionReport>(PositionSchema)
  const startMs = performance.now()
  let sending: Promise<unknown> = Promise.resolve()
  let batch: Parameters<typeof producer.send>[0]['messages'] = []
  for (let sequence = 0; sequence < messages; sequence += 1) {
    const report = positionReport(sequence)
    if (!validate(report)) throw new Error('a bad report')
    const key = `drone-${sequence % 16}`
    const headers = new Map([
      ['skeinschema', '0'.repeat(16)],
      ['ce_subject', `${name}.${key}`],
    ])
    batch.push({ topic: name, key, value: JSON.stringify(report), headers, timestamp: BigInt(Date.now()) })
    if (batch.length < WINDOW / 2 && sequence < messages - 1) continue
    await sending
    sending = producer.send({ messages: batch })
    batch = []
  }
  await sending
  const ms = performance.now() - startMs
  await producer.close()
  return ms
}
