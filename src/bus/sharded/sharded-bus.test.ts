import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { memoryDisk } from '../../core/index.ts'
import { systemClock, systemRandom } from '../../core/system/index.ts'
import { openEmbeddedBus } from '../drivers/embedded/index.ts'
import { type Bus, deadLetterOrigin, deadLetterTopic, type Reader } from '../index.ts'
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
const KEYS = ['a', 'b', 'c', 'd', 'e', 'f']
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

  it('begins the next generation for a group when all of its readers are done with the last', async (context) => {
    const { open } = await memory(context)
    const [one, other] = [open(), open()]
    await one.open(spec)
    await one.writer(TOPIC).write(KEYS.map((key) => message(key, `old ${key}`)))
    const holder = one.reader(TOPIC, { mode: 'group', group: 'g' })
    const held = []
    for (let count = 0; count < KEYS.length; ) {
      const batch = await holder.read({ waitMs: 5_000 })
      held.push(batch!)
      count += batch!.deliveries.length
    }
    await one.grow(TOPIC, { partitions: 3 })
    await one.writer(TOPIC).write(KEYS.map((key) => message(key, `new ${key}`)))
    const idle = other.reader(TOPIC, { mode: 'group', group: 'g' })
    assert.equal(await idle.read({ waitMs: 600 }), null, 'given although what came before is in hand')
    assert.equal(
      (await other.admin.lag(TOPIC, 'g')).reduce((sum, { messages }) => sum + messages, 0),
      2 * KEYS.length,
    )
    for (const { last, generation } of held) await holder.acknowledge(last, generation)
    await holder.drain()
    const texts = await take(idle, KEYS.length)
    assert.deepEqual(
      texts.sort(),
      KEYS.map((key) => `new ${key}`),
    )
  })

  it('divides a topic by a level of its subjects, and lets it grow by a shard', async (context) => {
    const { bus, inner } = await memory(context)
    const at = (region: string, key: string) => ({
      subject: `${TOPIC}.${region}.${key}`,
      key,
      value: `${region} ${key}`,
    })
    await bus.open({ ...spec, sharding: { level: 1, values: ['north', 'south'], leaseMs: 20 } })
    const writer = bus.writer(TOPIC)
    const receipt = await writer.write([at('north', 'a'), at('south', 'b'), at('north', 'c')])
    assert.equal(receipt.accepted, 3)
    await assert.rejects(writer.write([at('west', 'd')]), {
      code: 'bad-subject',
      message: /must be one of north, south/,
    })
    assert.equal((await bus.grow(TOPIC, { partitions: 1, values: ['north', 'south', 'west'] })).partitions, 3)
    await writer.write([at('west', 'd'), at('south', 'e')])
    const south = bus.reader(TOPIC, { mode: 'broadcast', from: 'earliest', subjects: [`${TOPIC}.south.>`] })
    assert.deepEqual(await take(south, 2), ['south b', 'south e'])
    assert.deepEqual((await take(bus.reader(TOPIC, { mode: 'group', group: 'g' }), 5)).sort(), [
      ...['north a', 'north c', 'south b', 'south e', 'west d'],
    ])
    const names = await inner.admin.listTopics()
    assert.ok(names.includes(`g1-north.${TOPIC}`) && names.includes(`g2-west.${TOPIC}`), String(names))
    assert.deepEqual(await bus.admin.listTopics(), [TOPIC])
  })

  it('finishes what a grower has begun who is gone, so that writing goes on', async (context) => {
    const { bus } = await memory(context)
    await bus.open({ ...spec, sharding: { leaseMs: 20 } })
    const writer = bus.writer(TOPIC)
    await writer.write([message('a', '1')])
    const killed = new Error('killed')
    const onStep = (step: string) => {
      if (step === 'closing') throw killed
    }
    await assert.rejects(bus.grow(TOPIC, { partitions: 4 }, { onStep }), killed)
    await writer.write([message('a', '2')])
    assert.equal((await bus.admin.describeTopic(TOPIC)).partitions.length, 2 + 4)
    assert.deepEqual(await take(bus.reader(TOPIC, { mode: 'group', group: 'g' }), 2), ['1', '2'])
  })

  it('is read on when its grower is gone and nobody writes', async (context) => {
    const { bus, open } = await memory(context)
    await bus.open({ ...spec, sharding: { leaseMs: 20 } })
    await bus.writer(TOPIC).write([message('a', '1')])
    const killed = new Error('killed')
    const onStep = (step: string) => {
      if (step === 'closing') throw killed
    }
    await assert.rejects(bus.grow(TOPIC, { partitions: 4 }, { onStep }), killed)
    assert.deepEqual(await take(open().reader(TOPIC, { mode: 'group', group: 'g' }), 1), ['1'])
    assert.equal((await bus.admin.describeTopic(TOPIC)).spec.partitions, 4)
  })

  it('keeps the dead letters of all generations in one place, and gives them again', async (context) => {
    const { bus } = await memory(context)
    await bus.open({ ...spec, sharding: { leaseMs: 20 } })
    const reader = bus.reader(TOPIC, { mode: 'group', group: 'g' })
    const bury = async (text: string) => {
      await bus.writer(TOPIC).write([message('a', text)])
      const batch = await reader.read({ waitMs: 5_000 })
      await reader.settle(batch!.deliveries, 'dead', { error: 'no use' })
    }
    await bury('old')
    await bus.grow(TOPIC, { partitions: 3 })
    await bury('new')
    const name = deadLetterTopic(TOPIC)
    assert.deepEqual(await bus.admin.listTopics(), [name, TOPIC].sort())
    const letters = bus.reader(name, { mode: 'broadcast', from: 'earliest' })
    const found = [await letters.read({ waitMs: 5_000 }), await letters.read({ waitMs: 5_000 })]
    const deliveries = found.flatMap((batch) => batch!.deliveries)
    assert.deepEqual(deliveries.map((delivery) => delivery.text()).sort(), ['new', 'old'])
    for (const { headers, subject } of deliveries) {
      assert.deepEqual(
        [deadLetterOrigin(headers)?.topic, deadLetterOrigin(headers)?.subject],
        [TOPIC, `${TOPIC}.north.a`],
      )
      assert.equal(subject, `${name}.north.a`)
    }
    assert.equal(await bus.admin.replayDeadLetters(TOPIC), 2)
    // The letter of a generation that its group is done with comes to it through the next one.
    assert.deepEqual((await take(reader, 1)).sort(), ['new'])
  })

  it('refuses what cannot grow, and says why', async (context) => {
    const { bus, inner } = await memory(context)
    await bus.open({ ...spec, sharding: { leaseMs: 20 } })
    await assert.rejects(bus.open({ ...spec, partitions: 3 }), {
      code: 'bad-argument',
      message: /it has 2 partitions, not 3/,
    })
    await inner.open({ name: 'swarm.plain', intent: 'event', durability: 'none' })
    await assert.rejects(bus.grow('swarm.plain', { partitions: 2 }), {
      code: 'unsupported',
      message: /was not made to grow/,
    })
    await assert.rejects(bus.open({ name: 'swarm.plain', intent: 'event', durability: 'none', sharding: {} }), {
      code: 'unsupported',
    })
    await assert.rejects(inner.open({ ...spec, name: 'swarm.bare' }), { code: 'unsupported', message: /shardedBus/ })
    await assert.rejects(bus.grow(TOPIC, { partitions: 0 }), { code: 'bad-argument' })
    await assert.rejects(bus.grow(TOPIC, { partitions: 2, values: ['north'] }), { code: 'bad-argument' })
    for (const wrong of [
      { level: 0, values: ['a'] },
      { level: 1 },
      { values: ['a'] },
      { level: 1, values: ['a', 'a'] },
      { leaseMs: 1 },
    ]) {
      await assert.rejects(bus.open({ ...spec, name: 'swarm.wrong', sharding: wrong }), { code: 'bad-argument' })
    }
  })
})
