import assert from 'node:assert/strict'
import type { Assignment, Reader } from '../../src/bus/index.ts'
import {
  acknowledge,
  assertQuiet,
  groupReader,
  holdAll,
  nextBatch,
  openTopic,
  rejectsWith,
  TOPIC,
  takeAll,
  texts,
  until,
  write,
} from './suite-topic.ts'
import type { BusCase } from './world.ts'

export const groupCases: readonly BusCase[] = [
  {
    name: 'each group is given every message, and each message goes to one reader of a group',
    needs: ['groups'],
    async run(world) {
      await openTopic(world, { partitions: 4 })
      const sent = Array.from({ length: 80 }, (_, index) => `k${index % 16}:${index}`)
      const readers = [groupReader(world.bus), groupReader(world.bus)]
      const other = groupReader(world.bus, { group: 'other' })
      const assigned = await Promise.all(readers.map((reader) => firstAssignment(reader)))
      assert.deepEqual([...assigned.flat()].sort(), [0, 1, 2, 3])
      await write(world.bus, ...sent)
      const shares = readers.map(() => [] as string[])
      await Promise.all(
        readers.map(async (reader, index) => {
          while (shares.flat().length < sent.length) {
            const batch = await reader.read({ waitMs: 50 })
            if (batch === null) continue
            shares[index]!.push(...texts(batch.deliveries))
            await acknowledge(reader, batch)
          }
        }),
      )
      assert.deepEqual(shares.flat().sort(), [...sent].sort())
      for (const share of shares) assert.ok(share.length > 0, 'one reader was given nothing')
      assert.deepEqual(texts(await takeAll(other, sent.length)).sort(), [...sent].sort())
    },
  },
  {
    name: 'what is in hand is not given a second time',
    needs: ['groups'],
    async run(world) {
      await openTopic(world)
      await write(world.bus, 'a:1', 'a:2', 'b:1')
      const reader = groupReader(world.bus)
      assert.deepEqual(texts(await holdAll(reader, 1)), ['a:1'])
      assert.deepEqual(texts(await holdAll(reader, 2)), ['a:2', 'b:1'])
      await assertQuiet(reader)
    },
  },
  {
    name: 'a group goes on behind what it acknowledged, after a drain and after a kill',
    needs: ['groups'],
    async run(world) {
      await openTopic(world)
      await write(world.bus, 'a:1', 'a:2', 'a:3', 'a:4')
      const first = groupReader(world.bus)
      await acknowledge(first, await nextBatch(first, 1))
      await world.restart('drain')
      await openTopic(world)
      const second = groupReader(world.bus)
      const batch = await nextBatch(second, 2)
      assert.deepEqual(texts(batch.deliveries), ['a:2', 'a:3'])
      await acknowledge(second, batch)
      await world.restart('kill')
      await openTopic(world)
      const third = groupReader(world.bus)
      assert.deepEqual(texts(await takeAll(third, 1)), ['a:4'])
      await assertQuiet(third)
    },
  },
  {
    name: 'what was in hand at a kill comes again, and in the end its attempts tell',
    needs: ['groups', 'retry'],
    async run(world) {
      await openTopic(world)
      await write(world.bus, 'a:1', 'a:2')
      const attempts: number[] = []
      for (let kills = 0; kills < 3; kills += 1) {
        const [first] = await holdAll(groupReader(world.bus), 1)
        assert.equal(first!.text(), 'a:1')
        attempts.push(first!.attempt)
        await world.restart('kill')
        await openTopic(world)
      }
      const reader = groupReader(world.bus)
      const [first, second] = await takeAll(reader, 2)
      assert.deepEqual([first!.text(), second!.text()], ['a:1', 'a:2'])
      // The first kill may come before the delivery is noted; from then on every one counts.
      assert.ok(first!.attempt >= 3, `attempts were ${[...attempts, first!.attempt]}`)
    },
  },
  {
    name: 'a message that kills its reader every time is dead-lettered in the end',
    needs: ['groups', 'retry', 'deadLetters'],
    async run(world) {
      await openTopic(world)
      await write(world.bus, 'poison:1', 'good:1')
      const seen: string[] = []
      for (let kills = 0; kills < 12 && !seen.includes('good:1'); kills += 1) {
        const batch = await nextBatch(groupReader(world.bus, { retry: { attemptsMax: 3 } }))
        seen.push(...texts(batch.deliveries))
        if (batch.deliveries.some((delivery) => delivery.text() === 'poison:1')) seen.length = 0
        else break
        await world.restart('kill')
        await openTopic(world)
      }
      assert.deepEqual(seen, ['good:1'])
      await until('the poison is a dead letter', async () =>
        (await world.bus.admin.listTopics()).includes(`skein.dead.${TOPIC}`),
      )
    },
  },
  {
    name: 'an acknowledgment is cumulative, and leaves in hand what was given after it',
    needs: ['groups'],
    async run(world) {
      await openTopic(world)
      await write(world.bus, 'a:1', 'b:2', 'c:3', 'd:4')
      const reader = groupReader(world.bus)
      const held = await holdAll(reader, 4)
      await reader.acknowledge(held[1]!.position)
      await reader.close()
      const next = groupReader(world.bus)
      const again = await takeAll(next, 2)
      assert.deepEqual(texts(again), ['c:3', 'd:4'])
      assert.deepEqual(
        again.map(({ attempt }) => attempt),
        [2, 2],
      )
    },
  },
  {
    name: 'a reader that closes gives up its work, counted; one that drains, uncounted',
    needs: ['groups', 'retry'],
    async run(world) {
      await openTopic(world)
      await write(world.bus, 'a:1')
      const first = groupReader(world.bus)
      await holdAll(first, 1)
      await first.drain()
      const second = groupReader(world.bus)
      const [afterDrain] = await holdAll(second, 1)
      assert.equal(afterDrain!.attempt, 1)
      await second.close()
      const [afterClose] = await takeAll(groupReader(world.bus), 1)
      assert.equal(afterClose!.attempt, 2)
    },
  },
  {
    name: 'what a reader was sent ahead and gave to nobody does not count as tried',
    needs: ['groups', 'retry'],
    async run(world) {
      await openTopic(world, { partitions: 2 })
      const sent = Array.from({ length: 40 }, (_, index) => `k${index % 8}:${index}`)
      await write(world.bus, ...sent)
      const tried = new Set<string>()
      const open = () => groupReader(world.bus, { revocationWaitMs: 400, retry: { attemptsMax: 100, delayMs: 1 } })
      for (let readers = 0; readers < 7; readers += 1) {
        const reader = open()
        const [taken] = await holdAll(reader, 1)
        tried.add(taken!.text())
        if (readers % 2 === 0) await reader.close()
        else await closedAfterRebalance(reader, open())
      }
      const all = await takeAll(open(), sent.length)
      const untried = all.filter((delivery) => !tried.has(delivery.text()))
      assert.ok(untried.length >= sent.length - 7)
      assert.deepEqual(new Set(untried.map(({ attempt }) => attempt)), new Set([1]))
    },
  },
  {
    name: 'a rebalance in mid-batch waits for work in hand and loses nothing',
    needs: ['groups', 'order'],
    async run(world) {
      await openTopic(world, { partitions: 2 })
      const sent = Array.from({ length: 12 }, (_, index) => `k${index % 6}:${index}`)
      await write(world.bus, ...sent)
      const first = groupReader(world.bus)
      const held = await holdAll(first, 12)
      const second = groupReader(world.bus)
      await assertQuiet(second)
      for (const delivery of held) await first.acknowledge(delivery.position)
      await until('a partition moves to the second reader', async () => (await second.lag()).length === 1)
      await assertQuiet(second)
      await write(world.bus, ...sent)
      const shares = await Promise.all([takeShare(first), takeShare(second)])
      assert.deepEqual(shares.flat().sort(), [...sent].sort())
    },
  },
  {
    name: 'a revocation tells the reader, and waits for what it does',
    needs: ['groups'],
    async run(world) {
      await openTopic(world, { partitions: 2 })
      const first = groupReader(world.bus)
      const changes: Assignment[] = []
      const { promise: finished, resolve: finish } = Promise.withResolvers<void>()
      first.onAssignment((change) => {
        changes.push(change)
        return change.removed.length > 0 ? finished : undefined
      })
      await until('the first reader has both partitions', () => changes.some(({ added }) => added.length === 2))
      const second = groupReader(world.bus)
      await until('the first reader is told', () => changes.some(({ removed }) => removed.length === 1))
      assert.equal((await second.lag()).length, 0)
      finish()
      await until('the second reader has its share', async () => (await second.lag()).length === 1)
    },
  },
  {
    name: 'settling after the partition went to another reader rejects with revoked',
    needs: ['groups'],
    async run(world) {
      await openTopic(world, { partitions: 2 })
      await write(world.bus, ...Array.from({ length: 12 }, (_, index) => `k${index % 6}:${index}`))
      const first = groupReader(world.bus, { revocationWaitMs: 1 })
      const held = await holdAll(first, 12)
      const second = groupReader(world.bus)
      const moved = await nextBatch(second)
      assert.equal(moved.deliveries[0]!.attempt, 2, 'what was taken away in hand was given in vain')
      const lost = held.filter(({ position }) => position.partition === moved.partition)
      await rejectsWith('revoked', first.acknowledge(lost.at(-1)!.position))
      await rejectsWith('revoked', first.settle(lost, 'retry'))
      await acknowledge(second, moved)
    },
  },
  {
    name: 'a partition that was lost and came back is a new assignment: settling under the old one rejects with revoked',
    needs: ['groups'],
    async run(world) {
      await openTopic(world, { partitions: 2 })
      await write(world.bus, ...Array.from({ length: 12 }, (_, index) => `k${index % 6}:${index}`))
      const first = groupReader(world.bus, { revocationWaitMs: 1 })
      const held = await holdAll(first, 12)
      const generations = new Map<number, number>()
      first.onAssignment(({ generation, added }) => {
        for (const partition of added) generations.set(partition, generation)
      })
      const second = groupReader(world.bus)
      const moved = await nextBatch(second)
      await second.close()
      await until('the partition is back', () => generations.has(moved.partition))
      const lost = held.filter(({ position }) => position.partition === moved.partition)
      const before = generations.get(moved.partition)! - 1
      await rejectsWith('revoked', first.acknowledge(lost.at(-1)!.position, before))
      await rejectsWith('revoked', first.settle(lost, 'retry'))
      assert.deepEqual(texts(await takeAll(first, lost.length)).sort(), texts(lost).sort())
    },
  },
  {
    name: 'a new group starts where it asks to: at the earliest, or behind the latest',
    needs: ['groups'],
    async run(world) {
      await openTopic(world)
      await write(world.bus, 'a:1')
      const latest = groupReader(world.bus, { group: 'late', from: 'latest' })
      await assertQuiet(latest)
      await write(world.bus, 'a:2')
      assert.deepEqual(texts(await takeAll(latest, 1)), ['a:2'])
      assert.deepEqual(texts(await takeAll(groupReader(world.bus, { group: 'early' }), 2)), ['a:1', 'a:2'])
    },
  },
  {
    name: 'groups are listed, and a deleted one starts anew',
    needs: ['groups'],
    async run(world) {
      await openTopic(world)
      await write(world.bus, 'a:1')
      const reader = groupReader(world.bus)
      await takeAll(reader, 1)
      assert.deepEqual(await world.bus.admin.listGroups(TOPIC), ['suite'])
      await rejectsWith('bad-argument', world.bus.admin.deleteGroup(TOPIC, 'suite'))
      await reader.close()
      await world.bus.admin.deleteGroup(TOPIC, 'suite')
      assert.deepEqual(await world.bus.admin.listGroups(TOPIC), [])
      assert.deepEqual(texts(await takeAll(groupReader(world.bus), 1)), ['a:1'])
    },
  },
  {
    name: 'lag counts what a group has not acknowledged, in messages and in seconds',
    needs: ['groups', 'lag'],
    async run(world) {
      await openTopic(world)
      const reader = groupReader(world.bus)
      await write(world.bus, 'a:1', 'a:2', 'a:3')
      const batch = await nextBatch(reader, 2)
      await until('some time has passed', async () => (await reader.lag())[0]!.seconds! > 0.2)
      await write(world.bus, 'a:4')
      const [held] = await reader.lag()
      assert.equal(held!.messages, 4)
      assert.ok(held!.seconds! > 0.2 && held!.seconds! < 60, `${held!.seconds} s, the oldest of them waits longer`)
      await acknowledge(reader, batch)
      const [left] = await world.bus.admin.lag(TOPIC, 'suite')
      assert.deepEqual([left!.group, left!.partition, left!.messages], ['suite', 0, 2])
      await takeAll(reader, 2)
      const [none] = await reader.lag()
      assert.deepEqual([none!.messages, none!.seconds], [0, 0])
    },
  },
]

/** The second takes over a partition of which the first was sent a part. */
async function closedAfterRebalance(first: Reader, second: Reader): Promise<void> {
  await until('a partition moves to the second reader', async () => (await second.lag()).length === 1)
  await first.close()
  await second.close()
}

async function firstAssignment(reader: ReturnType<typeof groupReader>): Promise<readonly number[]> {
  const now = new Set<number>()
  reader.onAssignment(({ added, removed }) => {
    for (const partition of added) now.add(partition)
    for (const partition of removed) now.delete(partition)
  })
  await until('the reader has its share', () => now.size === 2)
  return [...now]
}

/** Takes until nothing more comes: for readers whose shares are not known beforehand. */
async function takeShare(reader: ReturnType<typeof groupReader>): Promise<string[]> {
  const share: string[] = []
  for (let batch = await nextBatch(reader); batch !== null; ) {
    share.push(...texts(batch.deliveries))
    await acknowledge(reader, batch)
    const next = await reader.read({ waitMs: 100 })
    if (next === null) break
    batch = next
  }
  return share
}
