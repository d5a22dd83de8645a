import assert from 'node:assert/strict'
import {
  acknowledge,
  assertQuiet,
  everything,
  groupReader,
  nextBatch,
  openTopic,
  TOPIC,
  takeAll,
  texts,
  until,
  write,
  writeAll,
} from './suite-topic.ts'
import type { BusCase } from './world.ts'

const FOUR = ['a:1', 'a:2', 'a:3', 'a:4']

export const replayCases: readonly BusCase[] = [
  {
    name: 'broadcast readers are each given everything, as often as they are opened',
    needs: ['broadcast', 'replayByPosition'],
    async run(world) {
      await openTopic(world)
      await write(world.bus, ...FOUR)
      for (let round = 0; round < 3; round += 1) assert.deepEqual(texts(await takeAll(everything(world.bus), 4)), FOUR)
    },
  },
  {
    name: 'a broadcast reader starts behind the latest message by default',
    needs: ['broadcast'],
    async run(world) {
      await openTopic(world)
      await write(world.bus, 'a:1')
      const reader = world.bus.reader(TOPIC, { mode: 'broadcast' })
      await assertQuiet(reader)
      await write(world.bus, 'a:2')
      assert.deepEqual(texts(await takeAll(reader, 1)), ['a:2'])
    },
  },
  {
    name: 'a reader starts at a position',
    needs: ['replayByPosition'],
    async run(world) {
      await openTopic(world, { partitions: 2 })
      await write(world.bus, ...FOUR, 'b:1', 'b:2', 'c:1')
      const all = await takeAll(everything(world.bus), 7)
      const third = all.find((delivery) => delivery.text() === 'a:3')!
      const reader = everything(world.bus, { from: third.position, subjects: [`${TOPIC}.a`] })
      assert.deepEqual(texts(await takeAll(reader, 2)), ['a:3', 'a:4'])
    },
  },
  {
    name: 'a reader starts at a time',
    needs: ['replayByTime'],
    async run(world) {
      await openTopic(world)
      await write(world.bus, 'a:1', 'a:2')
      const [, second] = await takeAll(everything(world.bus), 2)
      await until('time has passed', async () => {
        await write(world.bus, 'a:3')
        const written = await takeAll(
          everything(world.bus, { subjects: [`${TOPIC}.a`], from: 'earliest' }),
          await count(world),
        )
        return written.at(-1)!.appendedAtMs > second!.appendedAtMs + 5
      })
      const reader = everything(world.bus, { from: { timestampMs: second!.appendedAtMs + 1 } })
      const { deliveries } = await nextBatch(reader)
      assert.ok(deliveries.every((delivery) => delivery.appendedAtMs > second!.appendedAtMs))
      assert.equal(deliveries[0]!.text(), 'a:3')
    },
  },
  {
    name: 'seek() takes a group back to the earliest, on to a position, and past everything',
    needs: ['replayByPosition', 'groups'],
    async run(world) {
      await openTopic(world)
      await write(world.bus, ...FOUR)
      const reader = groupReader(world.bus)
      const first = await takeAll(reader, 4)
      await reader.seek('earliest')
      assert.deepEqual(texts(await takeAll(reader, 4)), FOUR)
      await reader.seek(first[2]!.position)
      assert.deepEqual(texts(await takeAll(reader, 2)), ['a:3', 'a:4'])
      await reader.seek('earliest')
      await reader.seek('latest')
      await assertQuiet(reader)
      await write(world.bus, 'a:5')
      assert.deepEqual(texts(await takeAll(reader, 1)), ['a:5'])
    },
  },
  {
    name: 'seek() moves a broadcast reader, what it had fetched included',
    needs: ['replayByPosition', 'broadcast'],
    async run(world) {
      await openTopic(world)
      await write(world.bus, ...FOUR)
      const reader = everything(world.bus)
      const batch = await nextBatch(reader, 2)
      await reader.seek(batch.deliveries[0]!.position)
      assert.deepEqual(texts(await takeAll(reader, 4)), FOUR)
      await reader.seek('latest')
      await assertQuiet(reader)
    },
  },
  {
    name: 'a seek of a group outlives a restart',
    needs: ['replayByPosition', 'groups'],
    async run(world) {
      await openTopic(world)
      await write(world.bus, ...FOUR)
      const reader = groupReader(world.bus)
      const taken = await takeAll(reader, 4)
      await reader.seek(taken[1]!.position)
      await world.restart('kill')
      await openTopic(world)
      assert.deepEqual(texts(await takeAll(groupReader(world.bus), 3)), ['a:2', 'a:3', 'a:4'])
    },
  },
  {
    name: 'end() names the end of each partition, where reading can stop',
    needs: ['replayByPosition'],
    async run(world) {
      await openTopic(world, { partitions: 3 })
      await write(world.bus, ...FOUR, 'b:1', 'c:1', 'd:1', 'e:1')
      const reader = everything(world.bus)
      const left = new Map((await reader.end()).map(({ partition, sequence }) => [partition, sequence]))
      assert.equal(left.size, 3)
      let count = 0
      while ([...left.values()].some((sequence) => sequence > 0)) {
        const batch = await nextBatch(reader)
        count += batch.deliveries.length
        if (batch.last.sequence + 1 >= left.get(batch.partition)!) left.set(batch.partition, 0)
        await acknowledge(reader, batch)
      }
      assert.equal(count, 8)
    },
  },
  {
    name: 'compaction keeps the last message of each key, with its position',
    needs: ['compaction'],
    async run(world) {
      await openTopic(world, { compaction: { tombstoneMs: 60_000 } })
      const filler = 'x'.repeat(2_000)
      const rounds = 60
      for (let round = 0; round < rounds; round += 1) {
        await writeAll(
          world.bus,
          ['a', 'b', 'c', 'd'].map((key) => ({ subject: `${TOPIC}.${key}`, key, value: `${round}${filler}` })),
        )
      }
      const before = new Map((await readToEnd(world)).map((delivery) => [delivery.position.sequence, delivery.text()]))
      await until('compaction has removed something', async () => (await readToEnd(world)).length < rounds * 4)
      const kept = await readToEnd(world)
      const last = new Map(kept.map((delivery) => [delivery.key, parseInt(delivery.text(), 10)]))
      assert.deepEqual([...last.entries()].sort(), [
        ['a', rounds - 1],
        ['b', rounds - 1],
        ['c', rounds - 1],
        ['d', rounds - 1],
      ])
      for (const { position, text } of kept.map((delivery) => ({
        position: delivery.position,
        text: delivery.text(),
      }))) {
        const was = before.get(position.sequence)
        if (was !== undefined) assert.equal(text, was, 'a position names another message than before')
      }
    },
  },
  {
    name: 'retention by bytes lets old messages go, and reading them says position-gone or starts later',
    needs: ['replayByPosition'],
    async run(world) {
      await openTopic(world, { retention: { bytes: 100_000 } })
      const value = 'x'.repeat(2_000)
      for (let round = 0; round < 60; round += 1) {
        await writeAll(
          world.bus,
          Array.from({ length: 4 }, (_, index) => ({
            subject: TOPIC,
            key: 'k',
            value: `${round * 4 + index}${value}`,
          })),
        )
      }
      await until('old messages are gone', async () => {
        const { partitions } = await world.bus.admin.describeTopic(TOPIC)
        return partitions[0]!.start.sequence > 0
      })
      const reader = everything(world.bus)
      const { deliveries } = await nextBatch(reader)
      assert.ok(deliveries[0]!.position.sequence > 0)
      const lost = everything(world.bus, { from: { partition: 0, sequence: 0 } })
      await assert.rejects(lost.read({ waitMs: 1_000 }), { code: 'position-gone' })
      await lost.seek('earliest')
      await nextBatch(lost)
    },
  },
]

type World = Parameters<BusCase['run']>[0]

async function count(world: World): Promise<number> {
  const { partitions } = await world.bus.admin.describeTopic(TOPIC)
  return partitions.reduce((sum, { start, end }) => sum + end.sequence - start.sequence, 0)
}

async function readToEnd(world: World): ReturnType<typeof takeAll> {
  const reader = everything(world.bus)
  const [end] = await reader.end()
  const read: Awaited<ReturnType<typeof takeAll>> = []
  while (read.length === 0 || read.at(-1)!.position.sequence + 1 < end!.sequence)
    read.push(...(await nextBatch(reader)).deliveries)
  await reader.close()
  return read
}
