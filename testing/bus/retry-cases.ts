import assert from 'node:assert/strict'
import type { Delivery, Reader } from '../../src/bus/index.ts'
import { patience } from './patience.ts'
import {
  acknowledge,
  assertQuiet,
  groupReader,
  holdAll,
  messageOf,
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

const LATER_MS = 60_000
/** Long enough for a busy machine to write and read what must come before. */
const SOON_MS = 1_500

export const retryCases: readonly BusCase[] = [
  {
    name: 'a retried message comes again after its delay, counted',
    needs: ['retry'],
    async run(world) {
      await openTopic(world)
      await write(world.bus, 'a:1')
      const reader = groupReader(world.bus)
      const [first] = await holdAll(reader, 1)
      const settledAt = performance.now()
      await reader.settle([first!], 'retry', { delayMs: 150 })
      const [second] = await holdAll(reader, 1)
      assert.ok(performance.now() - settledAt >= 145, 'it came before its delay')
      assert.deepEqual([first!.attempt, second!.attempt], [1, 2])
      await reader.settle([second!], 'retry')
      const [third] = await takeAll(reader, 1)
      assert.equal(third!.attempt, 3)
    },
  },
  {
    name: 'a retried message holds back later messages of its key, and of no other',
    needs: ['retry', 'order'],
    async run(world) {
      await openTopic(world)
      await write(world.bus, 'a:1')
      const reader = groupReader(world.bus)
      const [failed] = await holdAll(reader, 1)
      await reader.settle([failed!], 'retry', { delayMs: SOON_MS })
      await write(world.bus, 'a:2', 'b:1', 'a:3', 'b:2')
      const order = texts(await takeAll(reader, 5))
      assert.deepEqual(order, ['b:1', 'b:2', 'a:1', 'a:2', 'a:3'])
    },
  },
  {
    name: 'a message held back does not come with the retry of another key',
    needs: ['retry', 'order'],
    async run(world) {
      await openTopic(world)
      await write(world.bus, 'a:1', 'b:1')
      const reader = groupReader(world.bus)
      const [first, second] = await holdAll(reader, 2)
      await reader.settle([first!], 'retry', { delayMs: SOON_MS })
      await reader.settle([second!], 'retry', { delayMs: 100 })
      await write(world.bus, 'a:2', 'b:2')
      assert.deepEqual(texts(await takeAll(reader, 4)), ['b:1', 'b:2', 'a:1', 'a:2'])
    },
  },
  {
    name: 'a message without a key is held back by its subject',
    needs: ['retry', 'order'],
    async run(world) {
      await openTopic(world)
      const writer = world.bus.writer(TOPIC)
      const on = (subject: string, value: string) => ({ subject: `${TOPIC}.${subject}`, value })
      await writer.write([on('x', 'x1')])
      const reader = groupReader(world.bus)
      await reader.settle(await holdAll(reader, 1), 'retry', { delayMs: SOON_MS })
      await writer.write([on('x', 'x2'), on('y', 'y1')])
      assert.deepEqual(texts(await takeAll(reader, 3)), ['y1', 'x1', 'x2'])
    },
  },
  {
    name: 'a released message comes again at once, uncounted and before later ones of its key',
    needs: ['retry', 'order'],
    async run(world) {
      await openTopic(world)
      await write(world.bus, 'a:1', 'a:2', 'a:3')
      const reader = groupReader(world.bus)
      for (let round = 0; round < 8; round += 1) {
        const held = await holdAll(reader, 2)
        assert.deepEqual(texts(held), ['a:1', 'a:2'])
        assert.deepEqual([held[0]!.attempt, held[1]!.attempt], [1, 1])
        await reader.settle(held, 'release')
      }
      assert.deepEqual(texts(await takeAll(reader, 3)), ['a:1', 'a:2', 'a:3'])
    },
  },
  {
    name: 'an acknowledgment leaves out what was settled otherwise',
    needs: ['retry'],
    async run(world) {
      await openTopic(world)
      await write(world.bus, 'a:1', 'b:1', 'c:1')
      const reader = groupReader(world.bus)
      const batch = await nextBatch(reader)
      assert.equal(batch.deliveries.length, 3)
      await reader.settle([batch.deliveries[1]!, batch.deliveries[2]!], 'retry', { delayMs: 1 })
      await acknowledge(reader, batch)
      assert.deepEqual(texts(await takeAll(reader, 2)), ['b:1', 'c:1'])
      await assertQuiet(reader)
    },
  },
  {
    name: 'the committed place never passes a parked message: it comes again after a kill, the others do not',
    needs: ['retry', 'groups'],
    async run(world) {
      await openTopic(world)
      await write(world.bus, 'a:1', 'a:2', 'b:1', 'b:2')
      const reader = groupReader(world.bus)
      const held = await holdAll(reader, 4)
      await reader.settle([held[0]!], 'retry', { delayMs: LATER_MS })
      await reader.settle([held[1]!], 'release')
      await reader.acknowledge(held[3]!.position)
      const [lag] = await reader.lag()
      assert.equal(lag!.messages, 4)
      await world.restart('kill')
      await openTopic(world)
      const again = groupReader(world.bus)
      const back = await takeAll(again, 2)
      assert.deepEqual(texts(back), ['a:1', 'a:2'])
      assert.deepEqual(
        back.map(({ attempt }) => attempt),
        [2, 1],
      )
      await assertQuiet(again)
    },
  },
  {
    name: 'after the last attempt a message is dead-lettered with its origin, and its key goes on',
    needs: ['retry', 'deadLetters'],
    async run(world) {
      await openTopic(world)
      await write(world.bus, 'a:1')
      const reader = groupReader(world.bus, { retry: { attemptsMax: 3, delayMs: 1 } })
      const attempts: number[] = []
      for (let attempt = 1; attempt <= 3; attempt += 1) {
        const [delivery] = await holdAll(reader, 1)
        attempts.push(delivery!.attempt)
        await reader.settle([delivery!], 'retry', { delayMs: 1, error: `broken ${attempt}` })
      }
      assert.deepEqual(attempts, [1, 2, 3])
      await write(world.bus, 'a:2')
      assert.deepEqual(texts(await takeAll(reader, 1)), ['a:2'])
      const [letter] = await deadLetters(
        world.bus.reader(`skein.dead.${TOPIC}`, { mode: 'broadcast', from: 'earliest' }),
        1,
      )
      assert.equal(letter!.text(), 'a:1')
      assert.equal(letter!.key, 'a')
      assert.equal(letter!.headers.skeindeadtopic, TOPIC)
      assert.equal(letter!.headers.skeindeadsubject, `${TOPIC}.a`)
      assert.equal(letter!.headers.skeindeadgroup, 'suite')
      assert.equal(letter!.headers.skeindeadpartition, '0')
      assert.equal(letter!.headers.skeindeadoffset, '0')
      assert.equal(letter!.headers.skeindeadattempts, '3')
      assert.equal(letter!.headers.skeindeaderror, 'broken 3')
      await assertQuiet(reader)
    },
  },
  {
    name: 'a message settled as dead goes to the dead letters at once',
    needs: ['deadLetters'],
    async run(world) {
      await openTopic(world)
      await write(world.bus, 'a:1', 'a:2')
      const reader = groupReader(world.bus)
      const held = await holdAll(reader, 2)
      await reader.settle([held[0]!], 'dead', { error: 'unreadable' })
      await reader.acknowledge(held[1]!.position)
      await assertQuiet(reader)
      const letters = await deadLetters(
        world.bus.reader(`skein.dead.${TOPIC}`, { mode: 'broadcast', from: 'earliest' }),
        1,
      )
      assert.deepEqual(texts(letters), ['a:1'])
      assert.equal(letters[0]!.headers.skeindeaderror, 'unreadable')
    },
  },
  {
    name: 'a dead letter is stored whatever the length of its error and of its headers, and its key goes on',
    needs: ['retry', 'deadLetters'],
    async run(world) {
      await openTopic(world)
      const short = { id: 'poison', kind: 'y' }
      const long = Object.fromEntries(Array.from({ length: 10 }, (_, index) => [`long${index}`, 'x'.repeat(5_800)]))
      await writeAll(world.bus, [{ ...messageOf('a:1'), headers: { ...short, ...long } }, messageOf('a:2')])
      const reader = groupReader(world.bus, { retry: { attemptsMax: 2, delayMs: 1 } })
      const error = `upstream said: ${'é'.repeat(100_000)}`
      for (let attempt = 1; attempt <= 2; attempt += 1) {
        const [delivery] = await holdAll(reader, 1)
        assert.deepEqual([delivery!.text(), delivery!.attempt], ['a:1', attempt])
        await reader.settle([delivery!], 'retry', { delayMs: 1, error })
      }
      assert.deepEqual(texts(await takeAll(reader, 1)), ['a:2'])
      const [letter] = await deadLetters(
        world.bus.reader(`skein.dead.${TOPIC}`, { mode: 'broadcast', from: 'earliest' }),
        1,
      )
      const { skeindeaderror, skeinomitted = '', ...headers } = letter!.headers
      assert.equal(letter!.text(), 'a:1')
      assert.match(skeindeaderror!, /^upstream said: é+… \(cut, 100015 characters in all\)$/)
      assert.deepEqual([headers.skeindeadattempts, headers.id ?? letter!.id, headers.kind], ['2', 'poison', 'y'])
      for (const name in long) assert.ok(headers[name] === long[name] || skeinomitted.split(', ').includes(name), name)
    },
  },
  {
    name: "with onDead 'block' the partition stops at a dead message",
    needs: ['retry', 'deadLetters'],
    async run(world) {
      await openTopic(world)
      await write(world.bus, 'a:1', 'b:1')
      const reader = groupReader(world.bus, { retry: { attemptsMax: 1, onDead: 'block' } })
      await reader.settle(await holdAll(reader, 1), 'retry')
      await assertQuiet(reader)
      const [lag] = await reader.lag()
      assert.equal(lag!.messages, 2)
      await reader.seek('earliest')
      assert.deepEqual(texts(await takeAll(reader, 2)), ['a:1', 'b:1'])
    },
  },
  {
    name: 'replayed dead letters come back to the group that lost them, once, and to no other',
    needs: ['deadLetters'],
    async run(world) {
      await openTopic(world)
      await write(world.bus, 'a:1', 'b:1')
      const reader = groupReader(world.bus)
      const other = groupReader(world.bus, { group: 'other' })
      await takeAll(other, 2)
      await reader.settle(await holdAll(reader, 2), 'dead')
      const replayed = async () => (await world.bus.admin.describeTopic(`skein.dead.${TOPIC}`)).replayed
      const before = (await replayed())?.filter((each) => each.before.sequence > 0)
      assert.equal(await world.bus.admin.replayDeadLetters(TOPIC), 2)
      // Where a driver can tell.
      const told = before && [{ group: 'suite', before: { partition: 0, sequence: 2 } }]
      assert.deepEqual([before, (await replayed())?.filter((each) => each.before.sequence > 0)], [before && [], told])
      assert.equal(await world.bus.admin.replayDeadLetters(TOPIC), 0)
      const back = await takeAll(reader, 2)
      assert.deepEqual(texts(back), ['a:1', 'b:1'])
      assert.deepEqual(
        back.map(({ subject, key, attempt }) => [subject, key, attempt]),
        [
          [`${TOPIC}.a`, 'a', 1],
          [`${TOPIC}.b`, 'b', 1],
        ],
      )
      await assertQuiet(other)
    },
  },
  {
    name: 'attempts outlive a restart',
    needs: ['retry'],
    async run(world) {
      await openTopic(world)
      await write(world.bus, 'a:1')
      const reader = groupReader(world.bus)
      await reader.settle(await holdAll(reader, 1), 'retry', { delayMs: 1 })
      await reader.settle(await holdAll(reader, 1), 'retry', { delayMs: LATER_MS })
      await world.restart('drain')
      await openTopic(world)
      const [delivery] = await takeAll(groupReader(world.bus), 1)
      assert.equal(delivery!.attempt, 3)
    },
  },
  {
    name: 'beyond parkedMax the partition waits, and goes on in order',
    needs: ['retry', 'order'],
    async run(world) {
      await openTopic(world)
      const later = Array.from({ length: 10 }, (_, index) => `a:${index + 2}`)
      await write(world.bus, 'a:1')
      const reader = groupReader(world.bus, { retry: { parkedMax: 4, delayMs: 1 } })
      await reader.settle(await holdAll(reader, 1), 'retry', { delayMs: SOON_MS })
      await write(world.bus, ...later, 'b:1')
      await assertQuiet(reader)
      const order = texts(await takeAll(reader, 12))
      assert.deepEqual(
        order.filter((text) => text.startsWith('a')),
        ['a:1', ...later],
      )
    },
  },
  {
    name: 'the order of every key holds while messages fail at random',
    needs: ['retry', 'order'],
    async run(world) {
      await openTopic(world, { partitions: 2 })
      const keys = ['a', 'b', 'c', 'd', 'e']
      await write(world.bus, ...Array.from({ length: 150 }, (_, index) => `${keys[index % 5]}:${index}`))
      const reader = groupReader(world.bus, { retry: { attemptsMax: 100, delayMs: 2 } })
      const done = await processAll(reader, 150)
      for (const key of keys) {
        const own = done.filter((text) => text.startsWith(`${key}:`)).map((text) => Number(text.slice(2)))
        assert.deepEqual(
          own,
          [...own].sort((one, other) => one - other),
        )
        assert.equal(own.length, 30)
      }
      await assertQuiet(reader)
    },
  },
]

async function deadLetters(reader: Reader, count: number): Promise<Delivery[]> {
  await until('the dead letters are there', async () => (await reader.end()).some(({ sequence }) => sequence >= count))
  return takeAll(reader, count)
}

/** As a careful application does: after a failure the later messages of that key in the batch are released. */
async function processAll(reader: Reader, count: number): Promise<string[]> {
  const done: string[] = []
  let turn = 0
  while (done.length < count) {
    const batch = await reader.read({ waitMs: patience().comesWithinMs, maxMessages: 20 })
    assert.ok(batch !== null, `only ${done.length} of ${count} came`)
    const failed = new Set<string>()
    for (const delivery of batch.deliveries) {
      turn += 1
      const isHeld = failed.has(delivery.key!)
      if (isHeld) await reader.settle([delivery], 'release')
      else if (turn % 7 === 0) {
        failed.add(delivery.key!)
        await reader.settle([delivery], 'retry')
      } else done.push(delivery.text())
    }
    await acknowledge(reader, batch)
  }
  return done
}
