import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SimulatedDisk } from '../../../../testing/index.ts'
import { SkeinError } from '../../../core/index.ts'
import { systemClock, systemRandom } from '../../../core/system/index.ts'
import { RecordBatchBuilder } from '../../../log/index.ts'
import { type EncodedWrite, type Message, WriteError } from '../../index.ts'
import { type EmbeddedBus, openEmbeddedBus } from './index.ts'

const TOPIC = 'failing.topic'

async function openBus(disk: SimulatedDisk) {
  const bus = await openEmbeddedBus({ disk, clock: systemClock, random: systemRandom, directory: 'data' })
  await bus.open({ name: TOPIC, intent: 'event', durability: 'durable', deduplicationWindowMs: 60_000 })
  return bus
}

function message(value: string, id: string): Message {
  return { subject: TOPIC, key: 'k', value, id }
}

async function failureOf(write: Promise<unknown>): Promise<WriteError> {
  const error: unknown = await write.then(
    () => undefined,
    (cause: unknown) => cause,
  )
  assert.ok(error instanceof WriteError, `${error}`)
  return error
}

test('on a full disk a batch is refused as not stored, and its ids are free when room returns', async () => {
  const disk = new SimulatedDisk()
  const bus = await openBus(disk)
  const writer = bus.writer(TOPIC)
  await writer.write([message('one', 'id-1')])
  disk.fail({ call: 'writev', nth: 1, errno: 'ENOSPC', forGood: true })
  const error = await failureOf(writer.write([message('two', 'id-2')]))
  assert.deepEqual([error.accepted, error.unknown], [[], []])
  assert.equal((error.cause as SkeinError).code, 'disk-full')
  disk.heal()
  const receipt = await writer.write([message('two', 'id-2'), message('one', 'id-1')])
  assert.deepEqual([receipt.accepted, receipt.duplicates], [1, [1]])
  await bus.close()
})

test('a repeat of a message whose first writing fails is not confirmed', async () => {
  const disk = new SimulatedDisk()
  const bus = await openBus(disk)
  const writer = bus.writer(TOPIC)
  await writer.write([message('zero', 'id-0')])
  disk.fail({ call: 'writev', nth: 1, errno: 'ENOSPC', forGood: true })
  const first = failureOf(writer.write([message('one', 'id-1')]))
  const repeat = failureOf(writer.write([message('one', 'id-1')]))
  assert.deepEqual([(await first).accepted, (await repeat).accepted], [[], []])
  disk.heal()
  assert.equal((await writer.write([message('one', 'id-1')])).accepted, 1)
  await bus.close()
})

test('what is stored beside a repeat whose first writing fails is told as accepted', async () => {
  const disk = new SimulatedDisk()
  const bus = await openBus(disk)
  const writer = bus.writer(TOPIC)
  await writer.write([message('zero', 'id-0')])
  disk.fail({ call: 'writev', nth: 1, errno: 'ENOSPC' })
  const first = failureOf(writer.write([message('one', 'id-1')]))
  // The first group is on its way to the disk before the next is gathered.
  for (let turn = 0; turn < 3; turn += 1) await Promise.resolve()
  const batch = [message('one', 'id-1'), message('zero', 'id-0'), { subject: TOPIC, key: 'k', value: 'two' }]
  const second = await failureOf(writer.write(batch))
  assert.deepEqual((await first).accepted, [])
  assert.deepEqual([second.accepted, second.unknown], [[1, 2], []])
  await writer.write([batch[0]!])
  const reader = bus.reader(TOPIC, { mode: 'broadcast', from: 'earliest' })
  const values: string[] = []
  while (values.length < 3) {
    const read = await reader.read({ waitMs: 1_000 })
    values.push(...(read?.deliveries ?? []).map((delivery) => delivery.text()))
  }
  assert.deepEqual(values, ['zero', 'two', 'one'])
  await bus.close()
})

test('after a failed sync a batch is in doubt, and nothing more is taken', async () => {
  const disk = new SimulatedDisk()
  const bus = await openBus(disk)
  const writer = bus.writer(TOPIC)
  await writer.write([message('one', 'id-1')])
  disk.fail({ call: 'fdatasync', nth: 1, errno: 'EIO' })
  const error = await failureOf(writer.write([message('two', 'id-2'), message('three', 'id-3')]))
  assert.deepEqual([error.accepted, error.unknown], [[], [0, 1]])
  const next = await failureOf(writer.write([message('four', 'id-4')]))
  assert.ok(next.cause instanceof SkeinError && next.cause.code === 'log-poisoned')
  await bus.close()
})

test('what was acknowledged at durable is there after a power loss, and repeats of it are found', async () => {
  const disk = new SimulatedDisk()
  const bus = await openBus(disk)
  const writer = bus.writer(TOPIC)
  for (let index = 0; index < 5; index += 1) await writer.write([message(`value ${index}`, `id-${index}`)])
  disk.losePower()
  await bus.close().catch(() => {})
  disk.restart()
  const again = await openBus(disk)
  const repeated = await again
    .writer(TOPIC)
    .write([0, 1, 2, 3, 4].map((index) => message(`value ${index}`, `id-${index}`)))
  assert.deepEqual([repeated.accepted, repeated.duplicates], [0, [0, 1, 2, 3, 4]])
  const reader = again.reader(TOPIC, { mode: 'broadcast', from: 'earliest' })
  assert.equal((await reader.read({ waitMs: 1_000 }))?.deliveries.length, 5)
  await again.close()
})

test('a group whose place lies behind what a power loss left passes over nothing that is written next', async () => {
  const disk = new SimulatedDisk()
  const open = () =>
    openEmbeddedBus({
      disk,
      clock: systemClock,
      random: systemRandom,
      directory: 'data',
      sync: { kind: 'interval', intervalMs: 3_600_000 },
    })
  const bus = await open()
  await bus.open({ name: TOPIC, intent: 'telemetry', durability: 'written' })
  const reader = bus.reader(TOPIC, { mode: 'group', group: 'g' })
  const values = Array.from({ length: 20 }, (_, index) => `old ${index} `.padEnd(5_000, '.'))
  await bus.writer(TOPIC).write(values.map((value) => message(value, value.slice(0, 8))))
  // The second place is written behind the sync of the first.
  for (const maxMessages of [15, 5]) {
    const batch = await reader.read({ waitMs: 1_000, maxMessages })
    await reader.acknowledge(batch!.last)
  }
  disk.losePower()
  await bus.close().catch(() => {})
  disk.restart()
  const again = await open()
  const { partitions } = await again.admin.describeTopic(TOPIC)
  const left = partitions[0]!.end.sequence
  assert.ok(left < 15, 'the power loss took nothing')
  await again.writer(TOPIC).write([message('new', 'new')])
  const next = await again.reader(TOPIC, { mode: 'group', group: 'g' }).read({ waitMs: 1_000 })
  assert.deepEqual(
    next?.deliveries.map((delivery) => [delivery.position.sequence, delivery.text()]),
    [[left, 'new']],
  )
  await again.close()
})

/** Every way to write one message, at a level asked for. */
const WRITES: Readonly<Record<string, (bus: EmbeddedBus, asked: 'written' | 'durable') => Promise<Granted>>> = {
  'a message of its id': (bus, durability) => bus.writer(TOPIC, { durability }).write([message('value', 'id-1')]),
  'an encoded batch of its producer and sequence': (bus, durability) => bus.writeEncoded(encoded(7, durability)),
  'an encoded batch of another producer with its id': (bus, durability) => bus.writeEncoded(encoded(8, durability)),
}

interface Granted {
  readonly durability: string
}

test('no receipt says durable of what no sync has reached, and one that does comes after it', async () => {
  for (const [kind, write] of Object.entries(WRITES)) {
    const disk = new SimulatedDisk()
    const bus = await openBus(disk)
    await bus.writer(TOPIC).write([message('before', 'before')])
    assert.equal((await write(bus, 'durable')).durability, 'durable', kind)
    const other = new SimulatedDisk()
    const unsynced = await openBus(other)
    await unsynced.writer(TOPIC).write([message('before', 'before')])
    other.fail({ call: 'fdatasync', nth: 1, errno: 'EIO', forGood: true })
    assert.equal((await write(unsynced, 'written')).durability, 'written', kind)
    await Promise.all([bus.close(), unsynced.close().catch(() => {})])
  }
})

function encoded(producerId: number, durability: 'written' | 'durable'): EncodedWrite {
  const builder = new RecordBatchBuilder()
  builder.add({ subject: TOPIC, key: 'k', value: 'value', timestampMs: 5, headers: { id: 'id-1' } })
  const body = Buffer.concat(builder.finish().parts)
  return { topic: TOPIC, partition: 0, body, firstTimestampMs: 5, producerId, sequence: 1, durability }
}

for (const [kind, repeat] of Object.entries(WRITES)) {
  test(`${kind}, repeated at durable, is acknowledged only once the first copy is synced`, async () => {
    for (const how of ['after', 'while'] as const) {
      for (const first of Object.values(WRITES)) {
        const disk = new SimulatedDisk()
        const bus = await openBus(disk)
        await bus.writer(TOPIC).write([message('before', 'before')])
        disk.fail({ call: 'fdatasync', nth: 1, errno: 'EIO' })
        const writing = first(bus, 'written')
        if (how === 'after') await writing
        await assert.rejects(repeat(bus, 'durable'), `${how} the first write, which was never synced`)
        await writing
        await bus.close().catch(() => {})
      }
    }
  })
}
