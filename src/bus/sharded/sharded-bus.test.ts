import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { memoryDisk } from '../../core/index.ts'
import { systemClock, systemRandom } from '../../core/system/index.ts'
import { openEmbeddedBus } from '../drivers/embedded/index.ts'
import type { Bus, Reader } from '../index.ts'
import { shardedBus } from './index.ts'

const machine = { clock: systemClock, random: systemRandom }
const TOPIC = 'swarm.telemetry'

async function memory(context: TestContext) {
  const inner = await openEmbeddedBus({ disk: memoryDisk(), directory: 'data', ...machine })
  context.after(() => inner.close())
  const open = (bus: Bus = inner) => shardedBus(bus, machine)
  return { inner, open, bus: open() }
}

const spec = {
  name: TOPIC,
  intent: 'telemetry',
  partitions: 2,
  durability: 'none',
  sharding: { leaseMs: 100 },
} as const
const message = (key: string, value: string) => ({ subject: `${TOPIC}.north.${key}`, key, value })

async function take(reader: Reader, count: number): Promise<string[]> {
  const texts: string[] = []
  while (texts.length < count) {
    const batch = await reader.read({ waitMs: 5_000 })
    assert.ok(batch, `only ${texts.length} of ${count}`)
    texts.push(...batch.deliveries.map((delivery) => delivery.text()))
    await reader.acknowledge(batch.last, batch.generation)
  }
  return texts
}

describe('shardedBus()', () => {
  it('lets a topic grow, and readers go on where they are', async (context) => {
    const { bus } = await memory(context)
    await bus.open(spec)
    const writer = bus.writer(TOPIC)
    await writer.write([message('a', '1'), message('b', '2')])
    const group = bus.reader(TOPIC, { mode: 'group', group: 'g' })
    assert.deepEqual((await take(group, 2)).sort(), ['1', '2'])
    assert.deepEqual(await bus.grow(TOPIC, { partitions: 5 }), { topic: TOPIC, generation: 2, partitions: 5 })
    await writer.write([message('a', '3'), message('b', '4')])
    assert.deepEqual((await take(group, 2)).sort(), ['3', '4'])
    const all = bus.reader(TOPIC, { mode: 'broadcast', from: 'earliest' })
    assert.deepEqual((await take(all, 4)).sort(), ['1', '2', '3', '4'])
  })
})
