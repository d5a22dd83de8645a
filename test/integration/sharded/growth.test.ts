/** A topic of a real broker grows while it is written to and read. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { connectKafkaBus } from '../../../src/bus/drivers/kafka/index.ts'
import { connectNatsBus } from '../../../src/bus/drivers/nats/index.ts'
import { connectRabbitmqBus } from '../../../src/bus/drivers/rabbitmq/index.ts'
import type { Bus, Reader } from '../../../src/bus/index.ts'
import { type GrowingBus, shardedBus } from '../../../src/bus/sharded/index.ts'
import { systemClock, systemRandom } from '../../../src/core/system/index.ts'
import { readToEnd } from '../../../src/transfer/index.ts'
import { requireService } from '../../services/require-service.ts'

const machine = { clock: systemClock, random: systemRandom }
const TOPIC = 'try.growth'
const KEYS = ['a', 'b', 'c', 'd', 'e', 'f']
const BATCHES = 120
/** Before and behind the growth, at least. */
const APART = 20

const CONNECT: Readonly<Record<string, (url: string) => Promise<Bus>>> = {
  kafka: (url) => connectKafkaBus({ url, ...machine }),
  nats: (url) => connectNatsBus({ url, ...machine }),
  rabbitmq: (url) => connectRabbitmqBus({ url, ...machine }),
}

for (const [name, connect] of Object.entries(CONNECT)) {
  const service = await requireService(name)
  test(`${name}: a topic grows while it is written to and read; a group and a late reader are given everything once, in order per key`, {
    skip: service.skip,
  }, async (t) => {
    const server = await service.start()
    t.after(() => server.stop())
    const open = async () => {
      const bus = shardedBus(await connect(server.url), machine)
      t.after(() => bus.close())
      return bus
    }
    const [writing, reading, growing] = [await open(), await open(), await open()]
    const spec = { name: TOPIC, intent: 'telemetry', durability: 'written' } as const
    await writing.open({ ...spec, partitions: 2, sharding: { leaseMs: 500 } })
    const given = readAll(reading.reader(TOPIC, { mode: 'group', group: 'g' }))
    const growth = growWhen(growing, writing.admin)
    await writeAll(writing, growth)
    assert.deepEqual(await growth, { topic: TOPIC, generation: 2, partitions: 3 })
    const expected = KEYS.map((key) => Array.from({ length: BATCHES }, (_, index) => `${key}:${index}`))
    assert.deepEqual(byKey(await given), expected)
    assert.deepEqual(byKey(await replayed(growing)), expected)
    const { partitions } = await growing.admin.describeTopic(TOPIC)
    assert.equal(partitions.length, 2 + 3)
    const places = partitions.map(({ start, end }) => end.sequence - start.sequence)
    assert.ok(places.slice(0, 2).some(Boolean) && places.slice(2).some(Boolean), `all on one side: ${places}`)
    assert.deepEqual(await growing.admin.listTopics(), [TOPIC])
  })
}

/** One batch after the other without waiting, some of them before the topic grows and some behind it. */
async function writeAll(bus: GrowingBus, growth: Promise<unknown>): Promise<void> {
  const writer = bus.writer(TOPIC)
  const writes: Promise<unknown>[] = []
  for (let index = 0; index < BATCHES; index += 1) {
    writes.push(writer.write(KEYS.map((key) => ({ subject: `${TOPIC}.${key}`, key, value: `${key}:${index}` }))))
    if (index === APART) await Promise.all(writes)
    if (index === BATCHES - APART) await growth
    else await systemClock.sleep(5)
  }
  await Promise.all(writes)
  await writer.close()
}

async function growWhen(bus: GrowingBus, admin: Bus['admin']) {
  while ((await admin.describeTopic(TOPIC)).partitions.every(({ end }) => end.sequence === 0))
    await systemClock.sleep(10)
  return bus.grow(TOPIC, { partitions: 3 })
}

async function readAll(reader: Reader): Promise<string[]> {
  const texts: string[] = []
  while (texts.length < BATCHES * KEYS.length) {
    const batch = await reader.read({ waitMs: 60_000 })
    assert.ok(batch, `only ${texts.length} were given`)
    texts.push(...batch.deliveries.map((delivery) => delivery.text()))
    await reader.acknowledge(batch.last, batch.generation)
  }
  await reader.close()
  return texts
}

async function replayed(bus: Bus): Promise<string[]> {
  const { partitions } = await bus.admin.describeTopic(TOPIC)
  const texts: string[] = []
  for await (const some of readToEnd(bus, TOPIC, { from: partitions.map(({ start }) => start) })) {
    texts.push(...some.map((delivery) => delivery.text()))
  }
  return texts
}

const byKey = (texts: readonly string[]) => KEYS.map((key) => texts.filter((text) => text.startsWith(`${key}:`)))
