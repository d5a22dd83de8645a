import assert from 'node:assert/strict'
import type { Message } from '../../src/bus/index.ts'
import { partitionOfKey, type SkeinError } from '../../src/core/index.ts'
import {
  assertQuiet,
  everything,
  liveReader,
  messageOf,
  nextBatch,
  openTopic,
  rejectsWith,
  TOPIC,
  takeAll,
  takeWritten,
  texts,
  write,
  writeAll,
} from './suite-topic.ts'
import type { BusCase } from './world.ts'

const MIB = 1024 * 1024

export const writeCases: readonly BusCase[] = [
  {
    name: 'a message is read as it was written: subject, key, value and time',
    needs: [],
    async run(world) {
      await openTopic(world)
      const reader = await liveReader(world.bus)
      const timestampMs = 1_700_000_000_123
      await writeAll(world.bus, [{ subject: `${TOPIC}.x.y`, key: 'schlüssel', value: 'wörter ✓', timestampMs }])
      const [delivery] = await takeWritten(world, reader, 1)
      assert.equal(delivery!.topic, TOPIC)
      assert.equal(delivery!.subject, `${TOPIC}.x.y`)
      assert.equal(delivery!.key, 'schlüssel')
      assert.equal(delivery!.text(), 'wörter ✓')
      assert.equal(Buffer.from(delivery!.value!).toString(), 'wörter ✓')
      assert.equal(delivery!.timestampMs, timestampMs)
      assert.equal(delivery!.attempt, 1)
      assert.ok(delivery!.appendedAtMs > timestampMs)
    },
  },
  {
    name: 'headers come back, each message its own',
    needs: ['headers'],
    async run(world) {
      await openTopic(world)
      const reader = await liveReader(world.bus)
      const shared = { traceparent: '00-ab', unit: 'grad °' }
      await writeAll(world.bus, [
        { ...messageOf('a:1'), headers: shared },
        { ...messageOf('a:2'), headers: shared, id: 'id-2' },
        messageOf('a:3'),
      ])
      const [first, second, third] = await takeWritten(world, reader, 3)
      assert.deepEqual({ ...first!.headers }, shared)
      assert.equal(second!.headers.unit, 'grad °')
      assert.equal(second!.id, 'id-2')
      assert.equal(first!.id, undefined)
      assert.deepEqual({ ...third!.headers }, {})
    },
  },
  {
    name: 'empty values, binary values and tombstones stay what they are',
    needs: [],
    async run(world) {
      await openTopic(world)
      const reader = await liveReader(world.bus)
      const binary = Uint8Array.from({ length: 256 }, (_, index) => index)
      const values = ['', new Uint8Array(0), binary, null]
      await writeAll(
        world.bus,
        values.map((value) => ({ subject: TOPIC, key: 'k', value })),
      )
      const read = await takeWritten(world, reader, 4)
      assert.deepEqual(
        read.map(({ value }) => value && [...value]),
        [[], [], [...binary], null],
      )
    },
  },
  {
    name: 'a value of 1 MiB passes whole, and one byte more is refused with message-too-large',
    needs: [],
    async run(world) {
      await openTopic(world)
      const reader = await liveReader(world.bus)
      const largest = Buffer.alloc(MIB, 'skein')
      await writeAll(world.bus, [{ subject: TOPIC, key: 'k', value: largest }])
      const writer = world.bus.writer(TOPIC)
      const tooLarge = { subject: TOPIC, key: 'k', value: Buffer.alloc(MIB + 1) }
      await rejectsWith('message-too-large', writer.write([messageOf('a:1'), tooLarge]))
      const [delivery] = await takeWritten(world, reader, 1)
      assert.ok(Buffer.from(delivery!.value!).equals(largest))
      await assertQuiet(reader)
    },
  },
  {
    name: 'headers come whole, or are refused with message-too-large, and what comes behind them is stored',
    needs: [],
    async run(world) {
      await openTopic(world)
      const reader = await liveReader(world.bus)
      const writer = world.bus.writer(TOPIC)
      const written: Message[] = []
      for (const length of [30_000, 70_000, 140_000, 300_000]) {
        const message = { ...messageOf(`a:${length}`), headers: { long: 'x'.repeat(length) } }
        try {
          await writer.write([message])
          written.push(message)
        } catch (error) {
          const { code, cause } = error as SkeinError
          assert.ok([code, (cause as SkeinError | undefined)?.code].includes('message-too-large'), `${error}`)
        }
      }
      assert.ok(written.length > 0, 'not even 30,000 bytes are taken')
      await writer.write([messageOf('a:behind')])
      const taken = await takeWritten(world, reader, written.length + 1)
      assert.deepEqual(texts(taken), [...written.map(({ value }) => value), 'a:behind'])
      for (const [index, { headers }] of written.entries()) assert.ok(taken[index]!.headers.long === headers!.long)
    },
  },
  {
    name: 'a refused message leaves nothing of its batch behind',
    needs: [],
    async run(world) {
      await openTopic(world, { partitions: 2 })
      const reader = await liveReader(world.bus)
      const writer = world.bus.writer(TOPIC)
      for (const subject of ['elsewhere.x', `${TOPIC}..x`, `${TOPIC}.*`, `${TOPIC}x`]) {
        await rejectsWith('bad-subject', writer.write([messageOf('a:1'), messageOf('b:1'), { subject, value: 'x' }]))
      }
      await assertQuiet(reader)
    },
  },
  {
    name: 'batches of one writer are stored in the order of their calls',
    needs: ['order'],
    async run(world) {
      await openTopic(world)
      const reader = await liveReader(world.bus)
      const writer = world.bus.writer(TOPIC)
      const expected = Array.from({ length: 300 }, (_, index) => `a:${index}`)
      const writes: Promise<unknown>[] = []
      for (let at = 0; at < expected.length; at += 3)
        writes.push(writer.write(expected.slice(at, at + 3).map(messageOf)))
      await Promise.all(writes)
      assert.deepEqual(texts(await takeWritten(world, reader, 300)), expected)
    },
  },
  {
    name: 'a key, or a subject without one, always goes to the partition of its hash',
    needs: ['order', 'replayByPosition'],
    async run(world) {
      await openTopic(world, { partitions: 5 })
      const messages: Message[] = Array.from({ length: 60 }, (_, index) => ({
        subject: `${TOPIC}.agent-${index % 20}`,
        key: index % 3 === 0 ? undefined : `key-${index % 7}`,
        value: String(index),
      }))
      await writeAll(world.bus, messages)
      for (const delivery of await takeAll(everything(world.bus), 60)) {
        assert.equal(delivery.position.partition, partitionOfKey(delivery.key ?? delivery.subject, 5))
      }
    },
  },
  {
    name: 'a receipt gives the last position of its batch in each partition',
    needs: ['replayByPosition'],
    async run(world) {
      await openTopic(world, { partitions: 4 })
      const writer = world.bus.writer(TOPIC)
      const messages = Array.from({ length: 40 }, (_, index) => messageOf(`k${index % 8}:${index}`))
      await writer.write(messages)
      const receipt = await writer.write(messages)
      assert.equal(receipt.accepted, 40)
      assert.deepEqual(receipt.duplicates, [])
      const last = new Map<number, number>()
      for (const { position } of await takeAll(everything(world.bus), 80))
        last.set(position.partition, position.sequence)
      const given = receipt.positions.map(({ partition, sequence }) => [partition, sequence] as const)
      assert.deepEqual(new Map([...given].sort(byPartition)), new Map([...last].sort(byPartition)))
    },
  },
  {
    name: 'writers side by side lose nothing, and each keeps its order',
    needs: ['order'],
    async run(world) {
      await openTopic(world, { partitions: 3 })
      const reader = await liveReader(world.bus)
      const names = ['a', 'b', 'c', 'd']
      await Promise.all(
        names.map(async (name) => {
          for (let at = 0; at < 20; at += 1) await write(world.bus, `${name}:${at * 2}`, `${name}:${at * 2 + 1}`)
        }),
      )
      const read = texts(await takeWritten(world, reader, 160))
      for (const name of names) {
        const own = read.filter((text) => text.startsWith(`${name}:`))
        assert.deepEqual(
          own,
          Array.from({ length: 40 }, (_, index) => `${name}:${index}`),
        )
      }
    },
  },
  {
    name: 'a full writer refuses with overloaded, and takes more after drained()',
    needs: [],
    async run(world) {
      await openTopic(world)
      const reader = await liveReader(world.bus)
      const writer = world.bus.writer(TOPIC, { pendingBytesMax: 10_000 })
      const large = { subject: TOPIC, key: 'k', value: 'x'.repeat(4_000) }
      const writes: Promise<unknown>[] = []
      for (let tries = 0; !writer.full; tries += 1) {
        assert.ok(tries < 100, '400 kB wait in a writer that was to hold 10 kB')
        writes.push(writer.write([large]))
      }
      const error = await rejectsWith('overloaded', writer.write([large]))
      assert.ok(error.retryable)
      await writer.drained()
      assert.equal(writer.full, false)
      writes.push(writer.write([large]))
      await Promise.all(writes)
      await takeAll(reader, writes.length)
    },
  },
  {
    name: 'drained() rejects with the reason of its signal',
    needs: [],
    async run(world) {
      await openTopic(world)
      const writer = world.bus.writer(TOPIC, { pendingBytesMax: 1 })
      const stored = writer.write([messageOf('a:1')])
      const reason = new Error('no time')
      await assert.rejects(writer.drained({ signal: AbortSignal.abort(reason) }), reason)
      await stored
    },
  },
  {
    name: 'drain() of a writer finishes what was accepted; a write after it is refused with closed',
    needs: [],
    async run(world) {
      await openTopic(world)
      const reader = await liveReader(world.bus)
      const writer = world.bus.writer(TOPIC)
      const stored = writer.write([messageOf('a:1')])
      await Promise.all([writer.drain(), writer.drain()])
      assert.equal((await stored).accepted, 1)
      await rejectsWith('closed', writer.write([messageOf('a:2')]))
      await writer.close()
      await takeAll(reader, 1)
      await assertQuiet(reader)
    },
  },
  {
    name: 'a stream goes on through a broken connection without loss, repeats or reordering',
    needs: ['order', 'replayByPosition'],
    async run(world) {
      await openTopic(world)
      const reader = everything(world.bus)
      const writer = world.bus.writer(TOPIC)
      const expected = Array.from({ length: 200 }, (_, index) => `a:${index}`)
      const read: string[] = []
      const reading = (async () => {
        while (read.length < expected.length) read.push(...texts((await nextBatch(reader)).deliveries))
      })()
      for (const [index, text] of expected.entries()) {
        const stored = writer.write([messageOf(text)])
        if (index % 50 === 25) await world.disrupt()
        if (index % 10 === 0) await stored
        else stored.catch(() => {})
      }
      await writer.drain()
      await reading
      assert.deepEqual(read, expected)
      await assertQuiet(reader)
    },
  },
]

function byPartition(one: readonly [number, number], other: readonly [number, number]): number {
  return one[0] - other[0]
}
