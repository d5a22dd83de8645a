import assert from 'node:assert/strict'
import type { Message } from '../../src/bus/index.ts'
import {
  assertQuiet,
  canReplay,
  everything,
  groupReader,
  holdAll,
  liveReader,
  messageOf,
  openTopic,
  TOPIC,
  takeAll,
  texts,
  until,
  write,
  writeAll,
} from './suite-topic.ts'
import type { BusCase } from './world.ts'

const WINDOW_MS = 60_000

function withId(text: string, id: string): Message {
  return { ...messageOf(text), id }
}

export const messageCases: readonly BusCase[] = [
  {
    name: 'a repeated id is not stored again, and the receipt names it',
    needs: ['deduplication'],
    async run(world) {
      await openTopic(world, { deduplicationWindowMs: WINDOW_MS })
      const writer = world.bus.writer(TOPIC)
      const first = await writer.write([withId('a:1', 'one'), withId('a:2', 'two')])
      const second = await writer.write([withId('a:3', 'three'), withId('a:2 again', 'two'), withId('a:4', 'four')])
      assert.deepEqual([first.accepted, second.accepted], [2, 2])
      assert.deepEqual([first.duplicates, second.duplicates], [[], [1]])
      const third = await writer.write([withId('a:1 again', 'one')])
      assert.deepEqual([third.accepted, third.duplicates], [0, [0]])
      assert.deepEqual(texts(await takeAll(everything(world.bus), 4)), ['a:1', 'a:2', 'a:3', 'a:4'])
    },
  },
  {
    name: 'an id repeated in one batch, or while its first writing is under way, is stored once',
    needs: ['deduplication'],
    async run(world) {
      await openTopic(world, { deduplicationWindowMs: WINDOW_MS })
      const writer = world.bus.writer(TOPIC)
      const [first, second] = await Promise.all([
        writer.write([withId('a:1', 'one'), withId('a:1', 'one')]),
        writer.write([withId('a:1', 'one'), messageOf('a:2')]),
      ])
      assert.deepEqual([first.accepted, second.accepted], [1, 1])
      assert.deepEqual([first.duplicates, second.duplicates], [[1], [0]])
      const reader = everything(world.bus)
      assert.deepEqual(texts(await takeAll(reader, 2)), ['a:1', 'a:2'])
      await assertQuiet(reader)
    },
  },
  {
    name: 'ids are remembered over a drain and over a kill',
    needs: ['deduplication'],
    async run(world) {
      await openTopic(world, { deduplicationWindowMs: WINDOW_MS })
      await writeAll(world.bus, [withId('a:1', 'one')])
      for (const how of ['drain', 'kill'] as const) {
        await world.restart(how)
        await openTopic(world, { deduplicationWindowMs: WINDOW_MS })
        const receipt = await world.bus.writer(TOPIC).write([withId('a:1', 'one')])
        assert.deepEqual(receipt.duplicates, [0], `forgotten after a ${how}`)
      }
      const reader = everything(world.bus)
      await takeAll(reader, 1)
      await assertQuiet(reader)
    },
  },
  {
    name: 'an id is taken again when its window is over',
    needs: ['deduplication'],
    async run(world) {
      await openTopic(world, { deduplicationWindowMs: 80 })
      const writer = world.bus.writer(TOPIC)
      await writer.write([withId('a:1', 'one')])
      const repeated = await writer.write([withId('a:1', 'one')])
      assert.deepEqual(repeated.duplicates, [0])
      await until('the window is over', async () => (await writer.write([withId('a:1', 'one')])).accepted === 1)
    },
  },
  {
    name: 'a group is given a repeated id once, before and after a kill',
    needs: ['deduplication', 'groups'],
    async run(world) {
      await openTopic(world, { deduplicationWindowMs: WINDOW_MS })
      await writeAll(world.bus, [withId('a:1', 'one'), withId('a:2', 'two')])
      await writeAll(world.bus, [withId('a:1', 'one'), withId('a:3', 'three')])
      assert.deepEqual(texts(await takeAll(groupReader(world.bus), 3)), ['a:1', 'a:2', 'a:3'])
      await world.restart('kill')
      await openTopic(world, { deduplicationWindowMs: WINDOW_MS })
      await writeAll(world.bus, [withId('a:2', 'two'), withId('a:4', 'four'), withId('a:3', 'three')])
      const reader = groupReader(world.bus)
      assert.deepEqual(texts(await takeAll(reader, 1)), ['a:4'])
      await assertQuiet(reader)
    },
  },
  {
    name: 'without a window, ids are no reason to refuse',
    needs: ['replayByPosition'],
    async run(world) {
      await openTopic(world)
      const writer = world.bus.writer(TOPIC)
      const receipts = [await writer.write([withId('a:1', 'one')]), await writer.write([withId('a:2', 'one')])]
      assert.deepEqual(
        receipts.map(({ accepted, duplicates }) => [accepted, duplicates.length]),
        [
          [1, 0],
          [1, 0],
        ],
      )
      await takeAll(everything(world.bus), 2)
    },
  },
  {
    name: 'a message past its TTL is never delivered',
    needs: ['ttl', 'groups'],
    async run(world) {
      await openTopic(world)
      await writeAll(world.bus, [
        { ...messageOf('a:short'), ttlMs: 40 },
        messageOf('a:for ever'),
        { ...messageOf('a:long'), ttlMs: 60_000 },
      ])
      await until('the first has expired', async () => {
        const read = await takeSome(world)
        return !read.includes('a:short')
      })
      assert.deepEqual(texts(await takeAll(everything(world.bus), 2)), ['a:for ever', 'a:long'])
      assert.deepEqual(texts(await takeAll(groupReader(world.bus), 2)), ['a:for ever', 'a:long'])
    },
  },
  {
    name: "a topic's TTL holds for messages that name none",
    needs: ['ttl', 'groups'],
    async run(world) {
      await openTopic(world, { ttlMs: 60 })
      await writeAll(world.bus, [messageOf('a:1'), { ...messageOf('a:2'), ttlMs: 60_000 }])
      await until('the first has expired', async () => !(await takeSome(world)).includes('a:1'))
      const reader = groupReader(world.bus)
      assert.deepEqual(texts(await takeAll(reader, 1)), ['a:2'])
      await assertQuiet(reader)
    },
  },
  {
    name: 'a parked message that expires is not delivered, and its key goes on',
    needs: ['ttl', 'retry'],
    async run(world) {
      await openTopic(world)
      await writeAll(world.bus, [{ ...messageOf('a:1'), ttlMs: 500 }])
      const reader = groupReader(world.bus)
      await reader.settle(await holdAll(reader, 1), 'retry', { delayMs: 700 })
      await write(world.bus, 'a:2')
      assert.deepEqual(texts(await takeAll(reader, 1)), ['a:2'])
      await assertQuiet(reader)
    },
  },
  {
    name: 'a filter gives exact subjects, one level for *, and the rest for >',
    needs: ['wildcards'],
    async run(world) {
      await openTopic(world, { partitions: 2 })
      const subjects = ['', '.north', '.north.d1', '.north.d2', '.south.d1', '.south.d1.camera'].map(
        (end) => TOPIC + end,
      )
      const wanted: ReadonlyArray<readonly [readonly string[], readonly string[]]> = [
        [[`${TOPIC}.north.d1`], ['.north.d1']],
        [[`${TOPIC}.*.d1`], ['.north.d1', '.south.d1']],
        [[`${TOPIC}.north.*`], ['.north.d1', '.north.d2']],
        [[`${TOPIC}.>`], ['.north', '.north.d1', '.north.d2', '.south.d1', '.south.d1.camera']],
        [
          [`${TOPIC}.south.>`, `${TOPIC}.north`],
          ['.north', '.south.d1', '.south.d1.camera'],
        ],
        [[TOPIC], ['']],
        [['>'], ['', '.north', '.north.d1', '.north.d2', '.south.d1', '.south.d1.camera']],
      ]
      const live = await Promise.all(wanted.map(([filters]) => liveReader(world.bus, { subjects: filters })))
      await writeAll(
        world.bus,
        subjects.map((subject) => ({ subject, key: 'same', value: subject.slice(TOPIC.length) })),
      )
      const keeps = await canReplay(world)
      for (const [index, [filters, expected]] of wanted.entries()) {
        const readers = [live[index]!, ...(keeps ? [everything(world.bus, { subjects: filters })] : [])]
        for (const reader of readers) {
          assert.deepEqual(texts(await takeAll(reader, expected.length)), expected, filters.join(' '))
          await assertQuiet(reader)
          await reader.close()
        }
      }
    },
  },
  {
    name: 'a filtered group passes over the rest, and has no lag from it',
    needs: ['wildcards', 'groups'],
    async run(world) {
      await openTopic(world)
      const reader = groupReader(world.bus, { subjects: [`${TOPIC}.mine`] })
      await write(world.bus, 'other:1', 'mine:1', 'other:2', 'mine:2', 'other:3')
      assert.deepEqual(texts(await takeAll(reader, 2)), ['mine:1', 'mine:2'])
      await assertQuiet(reader)
      const [lag] = await reader.lag()
      assert.equal(lag!.messages, 0)
      await write(world.bus, 'other:4', 'mine:3')
      assert.deepEqual(texts(await takeAll(reader, 1)), ['mine:3'])
    },
  },
  {
    name: 'many filtered readers at the tail are each given their own',
    needs: ['wildcards'],
    async run(world) {
      await openTopic(world, { partitions: 2 })
      const names = Array.from({ length: 40 }, (_, index) => `agent-${index}`)
      const readers = names.map((name) =>
        world.bus.reader(TOPIC, { mode: 'broadcast', subjects: [`${TOPIC}.${name}`] }),
      )
      await Promise.all(readers.map((reader) => assertQuiet(reader)))
      const reading = readers.map((reader) => takeAll(reader, 3))
      for (let round = 0; round < 3; round += 1) await write(world.bus, ...names.map((name) => `${name}:${round}`))
      for (const [index, read] of (await Promise.all(reading)).entries()) {
        const name = names[index]
        assert.deepEqual(texts(read), [`${name}:0`, `${name}:1`, `${name}:2`])
      }
    },
  },
  {
    name: 'a bad filter is refused with bad-subject',
    needs: ['wildcards'],
    async run(world) {
      await openTopic(world)
      for (const filter of ['', 'a..b', 'a.>.b', 'a.b*']) {
        const read = async () =>
          world.bus.reader(TOPIC, { mode: 'broadcast', subjects: [filter] }).read({ waitMs: 10_000 })
        await assert.rejects(read, { code: 'bad-subject' })
      }
    },
  },
]

/** What a new reader is given now, of at least one message that lives on. */
async function takeSome(world: Parameters<BusCase['run']>[0]): Promise<string[]> {
  const reader = everything(world.bus)
  const batch = await reader.read({ waitMs: 1_000 })
  await reader.close()
  return texts(batch?.deliveries ?? [])
}
