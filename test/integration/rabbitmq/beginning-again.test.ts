/** A broker that has just begun again: connections are taken before all that they need is there. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { connectRabbitmqBus, type RabbitmqBus } from '../../../src/bus/drivers/rabbitmq/index.ts'
import { systemClock, systemRandom } from '../../../src/core/system/index.ts'
import { requireService } from '../../services/require-service.ts'
import type { Service } from '../../services/service.ts'

/** Streams come up one after another: with so many of them there is time to be early. */
const PARTITIONS = 32
const TOPIC = { name: 'early.readings', intent: 'telemetry', partitions: PARTITIONS } as const
const KEYS = 64
const ROUNDS = 3

const service = await requireService('rabbitmq')
const { skip } = service

/** A bus that dials again at once: its first connection is the first the broker takes. */
async function eagerBus(t: TestContext): Promise<{ readonly own: Service; readonly bus: RabbitmqBus }> {
  const own = await service.start({ mortal: true })
  t.after(() => own.stop())
  const random = { bytes: systemRandom.bytes, float: () => 0.001 }
  const bus = await connectRabbitmqBus({ url: own.url, clock: systemClock, random })
  t.after(() => bus.close())
  return { own, bus }
}

test('what is written while the streams come up is stored, each key in its order', { skip }, async (t) => {
  const { own, bus } = await eagerBus(t)
  await bus.open(TOPIC)
  const writer = bus.writer(TOPIC.name)
  const numbered = (value: number) =>
    Array.from({ length: KEYS }, (_, key) => ({ subject: TOPIC.name, key: `key-${key}`, value: String(value) }))
  await writer.write(numbered(0))
  for (let round = 1; round <= ROUNDS; round += 1) {
    await own.nodes[0]!.kill()
    const started = own.nodes[0]!.start()
    const written = [writer.write(numbered(2 * round - 1)), writer.write(numbered(2 * round))]
    await Promise.all([started, ...written])
  }
  const byKey = await readByKey(bus, KEYS * (2 * ROUNDS + 1))
  const expected = Array.from({ length: 2 * ROUNDS + 1 }, (_, value) => String(value))
  assert.equal(byKey.size, KEYS)
  for (const [key, values] of byKey) assert.deepEqual(values, expected, `of ${key}`)
})

test('a topic that is opened while the registry comes up is opened', { skip }, async (t) => {
  const { own, bus } = await eagerBus(t)
  await bus.open(TOPIC)
  await own.nodes[0]!.kill()
  const started = own.nodes[0]!.start()
  await bus.open({ name: 'early.others', intent: 'telemetry' })
  await started
  assert.deepEqual(await bus.admin.listTopics(), ['early.others', TOPIC.name])
})

test('a reader of a topic that is not known here closes at once while the broker is away', { skip }, async (t) => {
  const { own, bus } = await eagerBus(t)
  await own.nodes[0]!.kill()
  const reader = bus.reader('early.unknown', { mode: 'broadcast' })
  const read = assert.rejects(reader.read(), { code: 'closed' })
  await reader.close()
  await read
})

async function readByKey(bus: RabbitmqBus, count: number): Promise<Map<string, string[]>> {
  const reader = bus.reader(TOPIC.name, { mode: 'broadcast', from: 'earliest' })
  const byKey = new Map<string, string[]>()
  for (let left = count; left > 0; ) {
    const batch = await reader.read({ waitMs: 30_000 })
    assert.ok(batch !== null, `${left} of ${count} did not come`)
    left -= batch.deliveries.length
    for (const delivery of batch.deliveries) {
      const values = byKey.get(delivery.key!) ?? []
      byKey.set(delivery.key!, [...values, delivery.text()])
    }
  }
  return byKey
}
