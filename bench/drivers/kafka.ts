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

/** Of one send. What the library makes of a batch grows faster than the batch: with 2,000 it is a third slower. */
const BATCH = 512
const SCHEMA_HEADER = [Buffer.from('skeinschema'), Buffer.from('0'.repeat(16))] as const
const SUBJECT_HEADER = Buffer.from('ce_subject')

/** Idempotent sends in a window, in order; bytes are given to the library as it will send them, so that it converts nothing. */
async function produceAll(broker: string, { name, messages }: RunRequest): Promise<number> {
  const producer = new Producer({
    clientId: name,
    bootstrapBrokers: [broker],
    idempotent: true,
    acks: ProduceAcks.ALL,
    partitioner: compatibilityPartitioner,
  })
  const validate = new Ajv2020().compile<PositionReport>(PositionSchema)
  const startMs = performance.now()
  const underWay: Promise<unknown>[] = []
  let batch: Parameters<typeof producer.send>[0]['messages'] = []
  for (let sequence = 0; sequence < messages; sequence += 1) {
    const report = positionReport(sequence)
    if (!validate(report)) throw new Error('a bad report')
    const key = `drone-${sequence % 16}`
    const headers = new Map([SCHEMA_HEADER, [SUBJECT_HEADER, Buffer.from(`${name}.${key}`)]])
    const value = Buffer.from(JSON.stringify(report))
    batch.push({ topic: name, key: Buffer.from(key), value, headers, timestamp: BigInt(Date.now()) })
    if (batch.length < BATCH && sequence < messages - 1) continue
    if (underWay.length * BATCH >= WINDOW) await underWay.shift()
    underWay.push(producer.send({ messages: batch }))
    batch = []
  }
  await Promise.all(underWay)
  const ms = performance.now() - startMs
  await producer.close()
  return ms
}
