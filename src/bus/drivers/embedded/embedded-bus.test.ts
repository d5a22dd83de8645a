import assert from 'node:assert/strict'
import { test } from 'node:test'
import { memoryDisk } from '../../../core/index.ts'
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
