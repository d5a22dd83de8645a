import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Clock, memoryDisk } from '../../../core/index.ts'
import { systemClock, systemRandom } from '../../../core/system/index.ts'
import { openEmbeddedBus } from './index.ts'

test('what is written is read by a group and by a broadcast reader, and a restart goes on behind the acknowledged', async () => {
  const disk = memoryDisk()
  const options = { disk, clock: systemClock, random: systemRandom, directory: 'data' }
  const bus = await openEmbeddedBus(options)
  await bus.open({ name: 'a.b', intent: 'event', durability: 'none', partitions: 2 })
  const writer = bus.writer('a.b')
  const receipt = await writer.write([
    { subject: 'a.b.c', key: 'k', value: 'one', id: '1' },
    { subject: 'a.b.d', key: 'k', value: 'two', id: '2' },
    { subject: 'a.b.d', key: 'k', value: 'two', id: '2' },
  ])
  assert.deepEqual(receipt.duplicates, [2])
  const all = bus.reader('a.b', { mode: 'broadcast', from: 'earliest' })
  const batch = await all.read({ waitMs: 1_000 })
  assert.deepEqual(
    batch?.deliveries.map((delivery) => delivery.text()),
    ['one', 'two'],
  )
  const group = bus.reader('a.b', { mode: 'group', group: 'g' })
  const first = await group.read({ waitMs: 1_000, maxMessages: 1 })
  assert.equal(first?.deliveries[0]?.text(), 'one')
  await group.acknowledge(first!.last, first!.generation)
  await bus.drain()
  const again = await openEmbeddedBus(options)
  const next = again.reader('a.b', { mode: 'group', group: 'g' })
  const second = await next.read({ waitMs: 1_000 })
  assert.deepEqual(
    second?.deliveries.map((delivery) => [delivery.text(), delivery.attempt]),
    [['two', 1]],
  )
  await next.settle(second!.deliveries, 'retry', { delayMs: 1 })
  const third = await next.read({ waitMs: 1_000 })
  assert.deepEqual(
    third?.deliveries.map((delivery) => [delivery.text(), delivery.attempt]),
    [['two', 2]],
  )
  await next.settle(third!.deliveries, 'dead', { error: 'no' })
  assert.equal(await again.admin.replayDeadLetters('a.b'), 1)
  const fourth = await next.read({ waitMs: 1_000 })
  assert.deepEqual(
    fourth?.deliveries.map((delivery) => [delivery.text(), delivery.attempt]),
    [['two', 1]],
  )
  await again.close()
})

test('ids take no more memory than they may, a full topic leaves others their share, and time makes room', async () => {
  let passedMs = 0
  const clock: Clock = { ...systemClock, nowMs: () => systemClock.nowMs() + passedMs }
  const options = { disk: memoryDisk(), clock, random: systemRandom, directory: 'data', idBytesMax: 500_000 }
  const bus = await openEmbeddedBus(options)
  const spec = { intent: 'event', durability: 'none', deduplicationWindowMs: 60_000 } as const
  for (const name of ['busy.one', 'other.one']) await bus.open({ ...spec, name })
  const busy = bus.writer('busy.one')
  const write = (from: number) =>
    busy.write(
      Array.from({ length: 1_000 }, (_, index) => ({ subject: 'busy.one', value: '', id: `id-${from + index}` })),
    )
  let written = 0
  await assert.rejects(
    async () => {
      for (; written < 100_000; written += 1_000) await write(written)
    },
    { code: 'overloaded', retryable: true },
  )
  assert.ok(written >= 4_000 && written <= 12_000, `${written} were written`)
  const other = await bus.writer('other.one').write([{ subject: 'other.one', value: '', id: 'id' }])
  assert.equal(other.accepted, 1)
  passedMs = 61_000
  assert.equal((await write(0)).accepted, 1_000)
  await bus.close()
})

test('partitions are read in turn: one that is never empty does not starve the others', async () => {
  const options = { disk: memoryDisk(), clock: systemClock, random: systemRandom, directory: 'data' }
  const bus = await openEmbeddedBus(options)
  await bus.open({ name: 'a.b', intent: 'event', durability: 'none', partitions: 3 })
  const messages = Array.from({ length: 300 }, (_, index) => ({ subject: 'a.b', key: `k${index}`, value: '' }))
  await bus.writer('a.b').write(messages)
  for (const mode of [{ mode: 'broadcast' }, { mode: 'group', group: 'g' }] as const) {
    const reader = bus.reader('a.b', { ...mode, from: 'earliest' })
    const seen = new Set<number>()
    for (let read = 0; read < 3; read += 1) {
      seen.add((await reader.read({ waitMs: 10_000, maxMessages: 1 }))!.partition)
    }
    assert.equal(seen.size, 3, mode.mode)
  }
  await bus.close()
})
