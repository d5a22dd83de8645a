import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SimulatedDisk, seededRandom } from '../../../../testing/index.ts'
import { systemClock, systemRandom } from '../../../core/system/index.ts'
import { deadLetterTopic, type Reader } from '../../index.ts'
import { type EmbeddedBus, openEmbeddedBus } from './index.ts'

const TOPIC = 'failing.topic'
const GROUP = { mode: 'group', group: 'g' } as const
/** More calls to the disk than any of these operations makes. */
const CALLS = 14

function open(disk: SimulatedDisk): Promise<EmbeddedBus> {
  return openEmbeddedBus({ disk, clock: systemClock, random: systemRandom, directory: 'data' })
}

async function opened(disk: SimulatedDisk, values: readonly string[]): Promise<EmbeddedBus> {
  const bus = await open(disk)
  await bus.open({ name: TOPIC, intent: 'event', durability: 'durable', deduplicationWindowMs: 0 })
  if (values.length > 0) await bus.writer(TOPIC).write(values.map((value) => ({ subject: TOPIC, key: value, value })))
  return bus
}

async function textsOf(reader: Reader): Promise<string[]> {
  const texts: string[] = []
  for (;;) {
    const batch = await reader.read({ waitMs: 60 })
    if (batch === null) return texts
    texts.push(...batch.deliveries.map((delivery) => delivery.text()))
    await reader.acknowledge(batch.last)
  }
}

async function lettersOf(bus: EmbeddedBus): Promise<string[]> {
  const name = deadLetterTopic(TOPIC)
  if (!(await bus.admin.listTopics()).includes(name)) return []
  return textsOf(bus.reader(name, { mode: 'broadcast', from: 'earliest' }))
}

/** Does something while the power fails at each call to the disk in turn, and looks at what is there afterwards. */
async function atEveryCall(steps: {
  readonly before: (bus: EmbeddedBus) => Promise<unknown>
  readonly during: (bus: EmbeddedBus, before: never) => Promise<unknown>
  readonly after: (bus: EmbeddedBus, call: number) => Promise<void>
}): Promise<void> {
  for (let call = 1; call <= CALLS; call += 1) {
    const disk = new SimulatedDisk({ random: seededRandom(call) })
    const bus = await opened(disk, ['one', 'two'])
    const prepared = await steps.before(bus)
    disk.failPowerAt(call)
    await steps.during(bus, prepared as never).catch(() => undefined)
    if (!disk.isOff) disk.losePower()
    await bus.close().catch(() => undefined)
    disk.restart()
    const again = await open(disk)
    await steps.after(again, call)
    await again.close()
  }
}

test('a message that dies while the power fails is given again or among the dead letters, never neither', async () => {
  await atEveryCall({
    before: async (bus) => {
      const reader = bus.reader(TOPIC, GROUP)
      const batch = await reader.read({ waitMs: 500, maxMessages: 1 })
      return { reader, batch: batch! }
    },
    during: (_, { reader, batch }: { reader: Reader; batch: Awaited<ReturnType<Reader['read']>> & object }) =>
      Promise.all([
        reader.settle(batch.deliveries, 'dead', { error: 'no' }),
        // Its place is stored with that of the next.
        reader.read({ waitMs: 100 }).then((next) => (next === null ? undefined : reader.acknowledge(next.last))),
      ]),
    after: async (bus, call) => {
      const found = [...(await lettersOf(bus)), ...(await textsOf(bus.reader(TOPIC, GROUP)))]
      assert.ok(found.includes('one'), `power lost at call ${call}: ${found}`)
    },
  })
})

test('a message whose dead letter could not be stored is not passed, also when the next is acknowledged', async () => {
  const disk = new SimulatedDisk()
  const bus = await opened(disk, ['zero', 'one', 'two'])
  const reader = bus.reader(TOPIC, GROUP)
  const die = async () => {
    const batch = await reader.read({ waitMs: 500, maxMessages: 1 })
    await reader.settle(batch!.deliveries, 'dead', { error: 'no' })
  }
  await die()
  const failing = die()
  disk.fail({ call: 'writev', nth: 1, errno: 'ENOSPC' })
  await assert.rejects(failing)
  const next = await reader.read({ waitMs: 500, maxMessages: 1 })
  await reader.acknowledge(next!.last)
  disk.kill()
  await bus.close().catch(() => undefined)
  disk.restart()
  const again = await open(disk)
  assert.ok((await textsOf(again.reader(TOPIC, GROUP))).includes('one'))
  assert.deepEqual(await lettersOf(again), ['zero'])
  await again.close()
})

test('dead letters that are replayed while the power fails come back to their group', async () => {
  await atEveryCall({
    before: async (bus) => {
      const reader = bus.reader(TOPIC, GROUP)
      const batch = await reader.read({ waitMs: 500 })
      await reader.settle(batch!.deliveries, 'dead', { error: 'no' })
      await reader.close()
    },
    during: (bus) => bus.admin.replayDeadLetters(TOPIC),
    after: async (bus, call) => {
      await bus.admin.replayDeadLetters(TOPIC)
      const found = new Set(await textsOf(bus.reader(TOPIC, GROUP)))
      assert.deepEqual([...found].sort(), ['one', 'two'], `power lost at call ${call}`)
    },
  })
})

async function dieAndReplay(bus: EmbeddedBus): Promise<number> {
  const reader = bus.reader(TOPIC, GROUP)
  const batch = await reader.read({ waitMs: 500 })
  await reader.settle(batch!.deliveries, 'dead', { error: 'no' })
  await reader.close()
  return bus.admin.replayDeadLetters(TOPIC)
}

test('letters of a topic that was deleted and made again are replayed', async () => {
  const bus = await opened(new SimulatedDisk(), ['one', 'two'])
  assert.equal(await dieAndReplay(bus), 2)
  await bus.admin.deleteTopic(deadLetterTopic(TOPIC))
  assert.equal(await dieAndReplay(bus), 2)
  await bus.close()
})

test('letters are replayed also when the power failed while an earlier topic of them was deleted', async () => {
  await atEveryCall({
    before: dieAndReplay,
    during: (bus) => bus.admin.deleteTopic(deadLetterTopic(TOPIC)),
    after: async (bus, call) => {
      if ((await bus.admin.listTopics()).includes(deadLetterTopic(TOPIC))) return
      await bus.writer(TOPIC).write([{ subject: TOPIC, key: 'three', value: 'three' }])
      assert.ok((await dieAndReplay(bus)) > 0, `power lost at call ${call}`)
    },
  })
})

test('where a group began by "latest" is its place, also when nothing was acknowledged before a kill', async () => {
  const disk = new SimulatedDisk()
  const bus = await opened(disk, ['before'])
  const reader = bus.reader(TOPIC, { ...GROUP, from: 'latest' })
  assert.equal(await reader.read({ waitMs: 20 }), null)
  await bus.writer(TOPIC).write([{ subject: TOPIC, key: 'k', value: 'after' }])
  disk.kill()
  await bus.close().catch(() => undefined)
  disk.restart()
  const again = await open(disk)
  assert.deepEqual(await textsOf(again.reader(TOPIC, { ...GROUP, from: 'latest' })), ['after'])
  await again.close()
})

test('a group that was deleted begins anew, also after a kill', async () => {
  const disk = new SimulatedDisk()
  const bus = await opened(disk, ['one'])
  const reader = bus.reader(TOPIC, GROUP)
  assert.deepEqual(await textsOf(reader), ['one'])
  await reader.close()
  await bus.admin.deleteGroup(TOPIC, 'g')
  disk.kill()
  await bus.close().catch(() => undefined)
  disk.restart()
  const again = await open(disk)
  assert.deepEqual(await textsOf(again.reader(TOPIC, GROUP)), ['one'])
  await again.close()
})

test('what waits for its retry is not forgotten when a power loss takes what lies behind it', async () => {
  const disk = new SimulatedDisk()
  const sync = { kind: 'interval', intervalMs: 3_600_000 } as const
  const start = () => openEmbeddedBus({ disk, clock: systemClock, random: systemRandom, directory: 'data', sync })
  const values = Array.from({ length: 20 }, (_, index) => `value ${index} `.padEnd(5_000, '.'))
  const messages = values.map((value) => ({ subject: TOPIC, key: value.slice(0, 8), value }))
  const earlier = await start()
  await earlier.open({ name: TOPIC, intent: 'telemetry', durability: 'written' })
  await earlier.writer(TOPIC).write(messages.slice(0, 5))
  await earlier.drain()
  const bus = await start()
  await bus.writer(TOPIC).write(messages.slice(5))
  const reader = bus.reader(TOPIC, GROUP)
  const first = await reader.read({ waitMs: 1_000, maxMessages: 1 })
  await reader.settle(first!.deliveries, 'retry', { delayMs: 400, error: 'later' })
  for (const maxMessages of [14, 5]) {
    const batch = await reader.read({ waitMs: 1_000, maxMessages })
    await reader.acknowledge(batch!.last)
  }
  disk.losePower()
  await bus.close().catch(() => undefined)
  disk.restart()
  const again = await start()
  const { partitions } = await again.admin.describeTopic(TOPIC)
  const left = partitions[0]!.end.sequence
  assert.ok(left >= 5 && left < 15, `${left} of 20 are left`)
  const next = await again.reader(TOPIC, GROUP).read({ waitMs: 5_000 })
  assert.deepEqual(
    next?.deliveries.map((delivery) => delivery.position.sequence),
    [0],
  )
  await again.close()
})
