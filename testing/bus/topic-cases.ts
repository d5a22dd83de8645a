import assert from 'node:assert/strict'
import { satisfies } from '../../src/bus/index.ts'
import {
  assertQuiet,
  everything,
  groupReader,
  messageOf,
  openTopic,
  rejectsWith,
  TOPIC,
  takeAll,
  texts,
  write,
} from './suite-topic.ts'
import type { BusCase } from './world.ts'

export const topicCases: readonly BusCase[] = [
  {
    name: 'open() creates a topic, and the same spec again is fine',
    needs: [],
    async run(world) {
      const { durability, topic } = world
      const spec = { name: TOPIC, intent: 'telemetry', partitions: 3, durability, ...topic } as const
      const first = await world.bus.open(spec)
      assert.equal(first.partitions, 3)
      assert.deepEqual(await world.bus.open(spec), first)
    },
  },
  {
    name: 'open() refuses other settings of an existing topic and names the setting',
    needs: [],
    async run(world) {
      await openTopic(world, { partitions: 2 })
      const error = await rejectsWith('bad-argument', openTopic(world, { partitions: 3 }))
      assert.equal(error.details.setting, 'partitions')
      await rejectsWith('bad-argument', openTopic(world, { intent: 'telemetry' }))
    },
  },
  {
    name: 'open() refuses a bad topic name with bad-subject',
    needs: [],
    async run(world) {
      for (const name of ['', 'a..b', 'a.*', 'a b', 'x'.repeat(513)]) {
        await rejectsWith('bad-subject', openTopic(world, { name }))
      }
    },
  },
  {
    name: 'a durability that the bus cannot give is refused with UnsupportedError',
    needs: [],
    async run(world) {
      for (const durability of ['durable', 'replicated', 'quorum-durable', 'safe'] as const) {
        if (satisfies(world.durability, durability)) continue
        await rejectsWith('unsupported', openTopic(world, { name: `${TOPIC}.${durability}`, durability }))
        await openTopic(world)
        assert.throws(() => world.bus.writer(TOPIC, { durability }), { code: 'unsupported' })
      }
    },
  },
  {
    name: 'a receipt names a durability at least as strong as asked, and no stronger than the topic grants',
    needs: [],
    async run(world) {
      await openTopic(world)
      const { capabilities } = await world.bus.admin.describeTopic(TOPIC)
      const receipt = await world.bus.writer(TOPIC, { durability: world.durability }).write([messageOf('a:1')])
      assert.ok(satisfies(receipt.durability, world.durability), receipt.durability)
      assert.ok(satisfies(capabilities.durability, receipt.durability), receipt.durability)
    },
  },
  {
    name: 'a topic and its messages outlive a restart',
    needs: ['replayByPosition'],
    async run(world) {
      await openTopic(world, { partitions: 2 })
      await write(world.bus, 'a:1', 'a:2')
      const bus = await world.restart('drain')
      assert.ok((await bus.admin.listTopics()).includes(TOPIC))
      await openTopic(world, { partitions: 2 })
      assert.deepEqual(texts(await takeAll(everything(bus), 2)), ['a:1', 'a:2'])
    },
  },
  {
    name: 'acknowledged messages outlive a kill',
    needs: ['replayByPosition'],
    async run(world) {
      await openTopic(world)
      await write(world.bus, 'a:1', 'a:2', 'a:3')
      const bus = await world.restart('kill')
      await openTopic(world)
      assert.deepEqual(texts(await takeAll(everything(bus), 3)), ['a:1', 'a:2', 'a:3'])
    },
  },
  {
    name: 'a writer or reader of a topic that does not exist is refused with not-found',
    needs: [],
    async run(world) {
      await rejectsWith('not-found', world.bus.admin.describeTopic('suite.missing'))
      await rejectsWith(
        'not-found',
        (async () => world.bus.writer('suite.missing').write([{ subject: 'suite.missing', value: '' }]))(),
      )
      await rejectsWith('not-found', (async () => world.bus.reader('suite.missing', { mode: 'broadcast' }).read())())
    },
  },
  {
    name: 'a deleted topic is gone with its messages and groups, and made again it is empty',
    needs: ['groups'],
    async run(world) {
      await openTopic(world)
      await write(world.bus, 'a:1')
      await takeAll(groupReader(world.bus), 1)
      await world.bus.admin.deleteTopic(TOPIC)
      assert.ok(!(await world.bus.admin.listTopics()).includes(TOPIC))
      await openTopic(world)
      await assertQuiet(everything(world.bus))
      await write(world.bus, 'b:1')
      assert.deepEqual(texts(await takeAll(groupReader(world.bus), 1)), ['b:1'])
    },
  },
  {
    name: 'describeTopic() gives the settings, the ends and the size',
    needs: ['replayByPosition'],
    async run(world) {
      await openTopic(world, { ttlMs: 60_000 })
      await write(world.bus, 'a:1', 'a:2')
      const described = await world.bus.admin.describeTopic(TOPIC)
      assert.equal(described.spec.ttlMs, 60_000)
      assert.equal(described.spec.intent, 'event')
      const [partition] = described.partitions
      assert.equal(partition!.end.sequence - partition!.start.sequence, 2)
      assert.ok(partition!.bytes > 0)
      await world.bus.open(described.spec)
    },
  },
]
