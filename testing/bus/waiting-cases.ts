import assert from 'node:assert/strict'
import { patience } from './patience.ts'
import {
  acknowledge,
  assertQuiet,
  everything,
  groupReader,
  liveReader,
  messageOf,
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

const EPHEMERAL = { name: 'suite.passing', intent: 'notice', durability: 'none' } as const

function notice(value: string): { readonly subject: string; readonly value: string } {
  return { subject: `${EPHEMERAL.name}.all`, value }
}

export const waitingCases: readonly BusCase[] = [
  {
    name: 'read() resolves to null when nothing came for waitMs',
    needs: ['groups', 'replayByPosition'],
    async run(world) {
      await openTopic(world)
      const begun = performance.now()
      assert.equal(await everything(world.bus).read({ waitMs: 60 }), null)
      assert.equal(await groupReader(world.bus).read({ waitMs: 60 }), null)
      assert.ok(performance.now() - begun >= 115)
    },
  },
  {
    name: 'a broadcast reader that has not read yet has all before it that it will give',
    needs: ['broadcast', 'replayByPosition', 'replayByTime', 'lag'],
    async run(world) {
      const { bus } = world
      await openTopic(world, { partitions: 2 })
      await write(bus, ...Array.from({ length: 20 }, (_, index) => `${'abcd'[index % 4]}:${index}`))
      for (const from of ['earliest', { timestampMs: 1 }] as const) {
        const lags = await everything(bus, { from }).lag()
        const messages = lags.reduce((sum, lag) => sum + lag.messages, 0)
        assert.ok(messages >= 20, `${messages} messages before a reader that begins with ${JSON.stringify(from)}`)
      }
    },
  },
  {
    name: 'a broadcast reader has lag until its reads have given everything, however little they wait',
    needs: ['broadcast', 'replayByPosition', 'lag'],
    async run(world) {
      await openTopic(world, { partitions: 2 })
      const reader = everything(world.bus)
      const given: string[] = []
      for (let round = 0; round < 3; round += 1) {
        const written = Array.from({ length: 20 }, (_, index) => `k${index % 5}:${round} ${index}`)
        await write(world.bus, ...written)
        await until('the reader has no lag', async () => {
          // Whether anything is left is asked before the read: a reader that has fetched it ahead has not given it.
          const isOver = (await reader.lag()).every(({ messages }) => messages === 0)
          if (isOver) return true
          given.push(...texts((await reader.read({ waitMs: 1, maxMessages: 7 }))?.deliveries ?? []))
          return false
        })
        assert.deepEqual(given.splice(0).sort(), written.sort())
      }
    },
  },
  {
    name: 'a read that waits is given what is written meanwhile',
    needs: ['groups', 'replayByPosition'],
    async run(world) {
      await openTopic(world)
      const waiting = [everything(world.bus), groupReader(world.bus)].map((reader) => nextBatch(reader))
      await write(world.bus, 'a:1')
      for (const batch of await Promise.all(waiting)) assert.deepEqual(texts(batch.deliveries), ['a:1'])
    },
  },
  {
    name: 'a waiting read rejects with the reason of its signal, and the reader goes on',
    needs: ['groups', 'replayByPosition'],
    async run(world) {
      await openTopic(world)
      for (const reader of [everything(world.bus), groupReader(world.bus)]) {
        const stop = new AbortController()
        const waiting = reader.read({ signal: stop.signal, waitMs: patience().comesWithinMs })
        const reason = new Error('enough')
        stop.abort(reason)
        await assert.rejects(waiting, reason)
        await assert.rejects(reader.read({ signal: stop.signal }), reason)
      }
      await write(world.bus, 'a:1')
      await takeAll(groupReader(world.bus, { group: 'next' }), 1)
    },
  },
  {
    name: 'closing a reader rejects its waiting read with closed; closing again is fine',
    needs: ['groups', 'replayByPosition'],
    async run(world) {
      await openTopic(world)
      for (const reader of [everything(world.bus), groupReader(world.bus)]) {
        const waiting = reader.read({ waitMs: patience().comesWithinMs })
        await Promise.all([reader.close(), reader.close(), rejectsWith('closed', waiting)])
        await rejectsWith('closed', reader.read())
      }
    },
  },
  {
    name: 'closing the bus rejects what waits with closed; closing again is fine',
    needs: [],
    async run(world) {
      await openTopic(world)
      const reader = await liveReader(world.bus)
      const writer = world.bus.writer(TOPIC)
      const waiting = rejectsWith('closed', reader.read({ waitMs: patience().comesWithinMs }))
      await Promise.all([world.bus.close(), world.bus.close(), waiting])
      await rejectsWith('closed', writer.write([messageOf('a:1')]))
      await rejectsWith('closed', world.bus.open({ name: 'suite.more', intent: 'telemetry' }))
    },
  },
  {
    name: 'draining the bus finishes what was accepted',
    needs: ['groups', 'replayByPosition'],
    async run(world) {
      await openTopic(world)
      const writer = world.bus.writer(TOPIC)
      const stored = [1, 2, 3].map((number) => writer.write([messageOf(`a:${number}`)]))
      const reader = groupReader(world.bus)
      const waiting = rejectsWith('closed', drainedRead(reader))
      await world.restart('drain')
      await waiting
      for (const receipt of await Promise.all(stored)) assert.equal(receipt.accepted, 1)
      await openTopic(world)
      assert.deepEqual(texts(await takeAll(everything(world.bus), 3)), ['a:1', 'a:2', 'a:3'])
    },
  },
  {
    name: 'maxMessages bounds a batch',
    needs: ['groups'],
    async run(world) {
      await openTopic(world)
      await write(world.bus, ...Array.from({ length: 25 }, (_, index) => `a:${index}`))
      const reader = groupReader(world.bus)
      const sizes: number[] = []
      while (sizes.reduce((sum, size) => sum + size, 0) < 25) {
        const batch = await nextBatch(reader, 10)
        sizes.push(batch.deliveries.length)
        await acknowledge(reader, batch)
      }
      assert.ok(Math.max(...sizes) <= 10, `batches of ${sizes}`)
    },
  },
  {
    name: 'an ephemeral topic gives to the readers that are there, and keeps nothing',
    needs: [],
    async run(world) {
      await world.bus.open(EPHEMERAL)
      const readers = [0, 1].map(() => world.bus.reader(EPHEMERAL.name, { mode: 'broadcast' }))
      await Promise.all(readers.map((reader) => assertQuiet(reader)))
      const receipt = await world.bus.writer(EPHEMERAL.name).write([notice('one'), notice('two')])
      assert.equal(receipt.durability, 'none')
      for (const reader of readers) assert.deepEqual(texts(await takeAll(reader, 2)), ['one', 'two'])
      await assertQuiet(world.bus.reader(EPHEMERAL.name, { mode: 'broadcast' }))
      const group = async () => world.bus.reader(EPHEMERAL.name, { mode: 'group', group: 'g' }).read({ waitMs: 10_000 })
      await assert.rejects(group, { code: 'unsupported' })
    },
  },
  {
    name: "a slow reader of an ephemeral topic with overflow 'drop' loses the oldest, and counts them",
    needs: [],
    async run(world) {
      await world.bus.open(EPHEMERAL)
      const reader = world.bus.reader(EPHEMERAL.name, { mode: 'broadcast', overflow: 'drop', bufferBytesMax: 20_000 })
      await assertQuiet(reader)
      const writer = world.bus.writer(EPHEMERAL.name)
      const filler = 'x'.repeat(1_000)
      for (let number = 0; number < 600; number += 1) await writer.write([notice(`${number} ${filler}`)])
      const read: number[] = []
      while (read.at(-1) !== 599)
        read.push(...(await nextBatch(reader)).deliveries.map((one) => parseInt(one.text(), 10)))
      assert.ok(read.length < 600, 'a buffer of 20 kB held 600 kB')
      assert.ok(reader.dropped > 0)
      assert.equal(read.length + reader.dropped, 600)
    },
  },
  {
    name: "a slow reader of an ephemeral topic with overflow 'wait' slows the writer, and loses nothing",
    needs: ['backPressure'],
    async run(world) {
      await world.bus.open(EPHEMERAL)
      const reader = world.bus.reader(EPHEMERAL.name, { mode: 'broadcast', overflow: 'wait', bufferBytesMax: 20_000 })
      await assertQuiet(reader)
      const writer = world.bus.writer(EPHEMERAL.name, { pendingBytesMax: 50_000 })
      const filler = 'x'.repeat(1_000)
      let written = 0
      const writing = (async () => {
        for (; written < 600; written += 1) await writer.write([notice(`${written} ${filler}`)])
      })()
      await until('the writer has begun', () => written > 0)
      assert.equal(
        await Promise.race([writing.then(() => 'finished'), world.bus.admin.listTopics().then(() => 'waits')]),
        'waits',
      )
      await new Promise((resolve) => setTimeout(resolve, 100))
      assert.ok(written < 600, 'the writer did not wait')
      const read: number[] = []
      while (read.length < 600)
        read.push(...(await nextBatch(reader)).deliveries.map((one) => parseInt(one.text(), 10)))
      await writing
      assert.deepEqual(read, [...read.keys()])
      assert.equal(reader.dropped, 0)
    },
  },
]

async function drainedRead(reader: ReturnType<typeof groupReader>): Promise<void> {
  for (;;) await reader.read({ waitMs: patience().comesWithinMs })
}
