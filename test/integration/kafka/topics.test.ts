/** Topics as Kafka has them: settings that differ, limits, codecs, quotas. */
import assert from 'node:assert/strict'
import { after, before, describe, type TestContext, test } from 'node:test'
import { isDeepStrictEqual } from 'node:util'
import { Admin } from '@platformatic/kafka'
import type { Compression } from '../../../src/bus/index.ts'
import { SkeinError } from '../../../src/core/index.ts'
import { type Broker, busOf, kafka, startBroker, take, texts } from './kafka-broker.ts'

let broker: Broker

async function adminOf(t: TestContext): Promise<Admin> {
  const admin = new Admin({ clientId: 'test', bootstrapBrokers: [broker.server] })
  t.after(() => admin.close())
  return admin
}

async function refusal(promise: Promise<unknown>): Promise<SkeinError> {
  const error = await promise.then(
    () => undefined,
    (cause: unknown) => cause,
  )
  assert.ok(error instanceof SkeinError, `expected a refusal, got ${error}`)
  return error
}

describe('on a real broker', { skip: kafka.skip }, () => {
  before(async () => {
    broker = await startBroker()
  })
  after(() => broker.stop())

  test('a topic whose partitions shrank is refused, with both counts', async (t) => {
    const bus = await busOf(t, broker)
    await bus.open({ name: 'topics.shrunk', intent: 'telemetry', partitions: 4 })
    const admin = await adminOf(t)
    await admin.deleteTopics({ topics: ['topics.shrunk'] })
    await admin.createTopics({ topics: ['topics.shrunk'], partitions: 2, replicas: 1 })
    const error = await refusal(bus.open({ name: 'topics.shrunk', intent: 'telemetry' }))
    assert.equal(error.code, 'bad-argument')
    assert.match(error.message, /shrank from 4 to 2/)
  })

  test('several who open a topic for the first time at about the same time all find it as it was asked for', async (t) => {
    const buses = await Promise.all(Array.from({ length: 6 }, () => busOf(t, broker)))
    for (let round = 0; round < 6; round += 1) {
      const spec = { name: `topics.at-once-${round}`, intent: 'event', durability: 'written', partitions: 2 } as const
      // One after the other, a few milliseconds apart: some find it made, and not yet recorded.
      const opened = await Promise.all(
        buses.map(async (bus, at) => {
          await new Promise((resolve) => setTimeout(resolve, at * (2 + 3 * round)))
          return bus.open(spec)
        }),
      )
      assert.deepEqual(new Set(opened.map(({ partitions }) => partitions)), new Set([2]))
    }
  })

  test("a topic of somebody else's is taken as it is, and a setting that differs is named and not changed", async (t) => {
    const admin = await adminOf(t)
    const configs = [{ name: 'retention.ms', value: '60000' }]
    await admin.createTopics({ topics: ['topics.foreign'], partitions: 3, replicas: 1, configs })
    const bus = await busOf(t, broker)
    const spec = { name: 'topics.foreign', intent: 'telemetry' } as const
    assert.equal((await bus.open(spec)).partitions, 3)
    const error = await refusal(bus.open({ ...spec, retention: { ageMs: 1_000 } }))
    assert.equal(error.details.setting, 'retention')
    assert.deepEqual((await bus.admin.describeTopic('topics.foreign')).spec.retention, { ageMs: 60_000 })
    const timestampMs = Date.now() - 5_000 // What is older than the retention may be deleted before it is read.
    await bus.writer('topics.foreign').write([{ subject: 'topics.foreign', value: 'x', timestampMs }])
    const [delivery] = await take(bus.reader('topics.foreign', { mode: 'broadcast', from: 'earliest' }), 1)
    assert.equal(delivery!.timestampMs, timestampMs)
  })

  test("a message over the broker's limit is message-too-large, and those after it pass", async (t) => {
    const bus = await busOf(t, broker)
    await bus.open({ name: 'topics.small', intent: 'telemetry' })
    const writer = bus.writer('topics.small')
    const admin = await adminOf(t)
    const limit = { name: 'max.message.bytes', value: '2000', configOperation: 0 } as const
    await admin.incrementalAlterConfigs({
      resources: [{ resourceType: 2, resourceName: 'topics.small', configs: [limit] }],
    })
    const large = writer.write([{ subject: 'topics.small', value: 'x'.repeat(5_000) }])
    const error = await refusal(large)
    assert.equal(error.code, 'write-failed')
    assert.equal((error.cause as SkeinError).code, 'message-too-large')
    assert.equal((await writer.write([{ subject: 'topics.small', value: 'fits' }])).accepted, 1)
  })

  test('a durability or a replication that one broker cannot give is refused, with the reason', async (t) => {
    const bus = await busOf(t, broker)
    for (const more of [
      { durability: 'safe' },
      { durability: 'durable' },
      { replicationFactor: 3 },
      { racks: 2 },
    ] as const) {
      const error = await refusal(bus.open({ name: 'topics.refused', intent: 'event', durability: 'written', ...more }))
      assert.equal(error.code, 'unsupported', error.message)
    }
    assert.ok(!(await bus.admin.listTopics()).includes('topics.refused'))
  })

  for (const compression of ['gzip', 'snappy', 'lz4', 'zstd'] satisfies Compression[]) {
    test(`batches compressed by ${compression} are smaller, and come back as they were`, async (t) => {
      const bus = await busOf(t, broker)
      const name = `topics.${compression}`
      await bus.open({ name, intent: 'telemetry', compression })
      const values = Array.from({ length: 2_000 }, (_, n) => `${n} ${'telemetry '.repeat(20)}`)
      await bus
        .writer(name)
        .write(values.map((value) => ({ subject: `${name}.x`, key: 'k', value, headers: { n: 'ü' } })))
      const [delivery, ...others] = await take(bus.reader(name, { mode: 'broadcast', from: 'earliest' }), 2_000)
      assert.deepEqual(texts([delivery!, ...others]), values)
      assert.equal(delivery!.headers.n, 'ü')
      const [partition] = (await bus.admin.describeTopic(name)).partitions
      assert.ok(partition!.bytes < 200_000, `400 kB were stored in ${partition!.bytes} bytes`)
    })
  }

  test('quotas of clients are set, read and taken away', async (t) => {
    const bus = await busOf(t, broker)
    const { quotas } = bus.admin
    await quotas.set({ clientId: 'drone', producerBytesPerSecond: 100_000, consumerBytesPerSecond: 50_000 })
    await quotas.set({ clientId: undefined, producerBytesPerSecond: 1_000_000 })
    const becomes = async (clientId: string | undefined, expected: unknown) => {
      // A broker has it a moment after the controller.
      for (const deadline = performance.now() + 10_000; performance.now() < deadline; ) {
        const found = (await quotas.list()).find((one) => one.clientId === clientId)
        if (isDeepStrictEqual(found, expected)) return true
      }
      return false
    }
    const drone = { clientId: 'drone', producerBytesPerSecond: 100_000, consumerBytesPerSecond: 50_000 }
    assert.ok(await becomes('drone', drone))
    assert.ok(await becomes(undefined, { clientId: undefined, producerBytesPerSecond: 1_000_000 }))
    await quotas.set({ clientId: 'drone' })
    assert.ok(await becomes('drone', undefined))
  })
})
