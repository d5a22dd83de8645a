import assert from 'node:assert/strict'
import { test } from 'node:test'
import { until } from '../../../../test/until.ts'
import { SimulatedDisk, seededRandom } from '../../../../testing/index.ts'
import { type Disk, memoryDisk } from '../../../core/index.ts'
import { systemClock, systemRandom } from '../../../core/system/index.ts'
import { RecordBatchBuilder, type RecordInput, recordCursor } from '../../../log/index.ts'
import type { RawBatch } from '../../index.ts'
import { openEmbeddedBus } from './index.ts'

const TOPIC = 'raw.topic'

async function openBus(disk: Disk = memoryDisk()) {
  const bus = await openEmbeddedBus({ disk, clock: systemClock, random: systemRandom, directory: 'data' })
  await bus.open({
    name: TOPIC,
    intent: 'event',
    durability: 'none',
    deduplicationWindowMs: 60_000,
    messageBytesMax: 100,
  })
  return bus
}

function bodyOf(...records: ReadonlyArray<Partial<RecordInput>>): Uint8Array {
  const builder = new RecordBatchBuilder()
  for (const record of records) builder.add({ subject: `${TOPIC}.a`, key: 'k', value: '', timestampMs: 5, ...record })
  return Buffer.concat(builder.finish().parts)
}

function write(sequence: number, body: Uint8Array) {
  return { topic: TOPIC, partition: 0, body, firstTimestampMs: 5, producerId: 7, sequence }
}

function valuesOf(batch: RawBatch | null): Array<readonly [offset: number, value: string]> {
  const values: Array<readonly [number, string]> = []
  for (const { body, baseOffset, firstTimestampMs, offsets, fromOffset, throughOffset } of batch?.pieces ?? []) {
    const cursor = recordCursor(body, baseOffset, firstTimestampMs)
    for (let index = 0; cursor.next(); index += 1) {
      const offset = offsets?.[index] ?? cursor.offset
      if (offset >= fromOffset && offset <= throughOffset) values.push([offset, cursor.valueText()])
    }
  }
  return values
}

test('a batch sent again by its producer is stored once, also while the first is under way and after a restart', async () => {
  const disk = memoryDisk()
  const bus = await openBus(disk)
  const body = bodyOf({ value: 'one' }, { value: 'two' })
  const [first, meanwhile] = await Promise.all([bus.writeEncoded(write(1, body)), bus.writeEncoded(write(1, body))])
  const later = await bus.writeEncoded(write(1, body))
  assert.deepEqual([first.repeated, meanwhile.repeated, later.repeated], [false, true, true])
  assert.deepEqual([first.last, meanwhile.last, later.last], [first.last, first.last, first.last])
  await bus.drain()
  const again = await openBus(disk)
  assert.ok((await again.writeEncoded(write(1, body))).repeated)
  assert.equal((await again.writeEncoded(write(2, bodyOf({ value: 'three' })))).repeated, false)
  const reader = again.rawReader(TOPIC, { mode: 'broadcast', from: 'earliest' })
  assert.deepEqual(valuesOf(await reader.readRaw({ waitMs: 1_000 })), [
    [0, 'one'],
    [1, 'two'],
    [2, 'three'],
  ])
  await again.close()
})

test('a batch at the very place up to which producers were noted is known after a kill, and so are its neighbours', async () => {
  const disk = new SimulatedDisk()
  const noted = await openBus(disk)
  for (const sequence of [1, 2]) await noted.writeEncoded(write(sequence, bodyOf({ value: `${sequence}` })))
  // What is closed in good order notes its producers; what is killed notes nothing.
  await noted.drain()
  const killed = await openBus(disk)
  for (const sequence of [3, 4]) await killed.writeEncoded(write(sequence, bodyOf({ value: `${sequence}` })))
  disk.kill()
  await killed.close().catch(() => {})
  disk.restart()
  const bus = await openBus(disk)
  for (const sequence of [1, 2, 3, 4]) {
    const { repeated, last } = await bus.writeEncoded(write(sequence, bodyOf({ value: `${sequence}` })))
    assert.deepEqual([repeated, last.sequence], [true, sequence - 1], `the batch ${sequence}`)
  }
  assert.equal((await bus.writeEncoded(write(5, bodyOf({ value: '5' })))).repeated, false)
  await bus.close()
})

test('ids of an encoded batch are deduplicated, and the receipt names the repeats', async () => {
  const bus = await openBus()
  await bus.writer(TOPIC).write([{ subject: TOPIC, key: 'k', value: 'one', id: 'id-1' }])
  const body = bodyOf({ value: 'new', headers: { id: 'id-2' } }, { value: 'old', headers: { id: 'id-1' } })
  const receipt = await bus.writeEncoded(write(1, body))
  assert.deepEqual([receipt.accepted, receipt.duplicates], [1, [1]])
  const repeated = await bus.writer(TOPIC).write([{ subject: TOPIC, key: 'k', value: 'again', id: 'id-2' }])
  assert.deepEqual(repeated.duplicates, [0])
  await bus.close()
})

test('batches of one producer are each known when sent again, whichever was answered first', async () => {
  const bus = await openBus()
  await bus.writer(TOPIC).write([{ subject: TOPIC, key: 'k', value: 'old', id: 'old' }])
  const old = { value: 'old', headers: { id: 'old' } }
  const bodies = [
    bodyOf({ value: 'first' }),
    bodyOf(old, { value: 'with a repeat', headers: { id: 'new' } }),
    bodyOf({ value: 'without an id' }),
    bodyOf(old),
  ]
  const send = () => Promise.all(bodies.map((body, sequence) => bus.writeEncoded(write(sequence, body))))
  const first = await send()
  const again = await send()
  assert.deepEqual(
    again,
    first.map((receipt) => ({ ...receipt, repeated: true })),
  )
  const reader = bus.rawReader(TOPIC, { mode: 'broadcast', from: 'earliest' })
  assert.deepEqual(valuesOf(await reader.readRaw({ waitMs: 1_000 })), [
    [0, 'old'],
    [1, 'first'],
    [2, 'with a repeat'],
    [3, 'without an id'],
  ])
  await bus.close()
})

test('batches with repeats, and of repeats only, are answered after a kill as they were before', async () => {
  const disk = new SimulatedDisk()
  const killed = await openBus(disk)
  await killed.writer(TOPIC).write([{ subject: TOPIC, key: 'k', value: 'old', id: 'old' }])
  const old = { value: 'old', headers: { id: 'old' } }
  const bodies = [bodyOf(old), bodyOf({ value: 'a' }), bodyOf(old), bodyOf(old, { value: 'b', headers: { id: 'b' } })]
  const first = []
  for (const [sequence, body] of bodies.entries()) first.push(await killed.writeEncoded(write(sequence, body)))
  disk.kill()
  await killed.close().catch(() => {})
  disk.restart()
  const bus = await openBus(disk)
  for (const [sequence, body] of bodies.entries()) {
    const { last, accepted, duplicates } = await bus.writeEncoded(write(sequence, body))
    const { repeated, durability, ...before } = first[sequence]!
    assert.deepEqual({ last, accepted, duplicates }, before, `the batch ${sequence}`)
  }
  const { partitions } = await bus.admin.describeTopic(TOPIC)
  assert.equal(partitions[0]?.end.sequence, 3)
  await bus.close()
})

test('an old batch of which nothing is known after a kill is said to be unknown, and is not stored', async () => {
  const disk = new SimulatedDisk()
  const killed = await openBus(disk)
  for (const sequence of [1, 3]) await killed.writeEncoded(write(sequence, bodyOf({ value: `${sequence}` })))
  await assert.rejects(killed.writeEncoded(write(2, bodyOf({ value: '2' }))), { unknown: [] })
  disk.kill()
  await killed.close().catch(() => {})
  disk.restart()
  const bus = await openBus(disk)
  await assert.rejects(bus.writeEncoded(write(2, bodyOf({ value: '2' }))), { unknown: [0] })
  await bus.close()
})

test('a malformed, foreign or oversized encoded batch is refused whole', async () => {
  const bus = await openBus()
  await assert.rejects(bus.writeEncoded(write(1, bodyOf({ value: 'x' }).subarray(0, -1))), { code: 'corrupt' })
  await assert.rejects(bus.writeEncoded(write(2, bodyOf({ subject: 'elsewhere' }))), { code: 'bad-subject' })
  await assert.rejects(bus.writeEncoded(write(3, bodyOf({ value: 'x'.repeat(101) }))), { code: 'message-too-large' })
  await assert.rejects(bus.writeEncoded({ ...write(4, bodyOf({})), partition: 1 }), { code: 'bad-argument' })
  const { partitions } = await bus.admin.describeTopic(TOPIC)
  assert.equal(partitions[0]?.end.sequence, 0)
  await bus.close()
})

test('a raw reader gives stored bodies as they lie, and re-framed ones to a filter', async () => {
  const bus = await openBus()
  const body = bodyOf({ value: 'one' }, { subject: `${TOPIC}.b`, value: 'two' }, { value: 'three' })
  await bus.writeEncoded(write(1, body))
  const whole = await bus.rawReader(TOPIC, { mode: 'group', group: 'g' }).readRaw({ waitMs: 1_000 })
  assert.ok(Buffer.from(whole!.pieces[0]!.body).equals(body))
  assert.equal(whole?.pieces[0]?.offsets, undefined)
  const filtered = bus.rawReader(TOPIC, { mode: 'broadcast', from: 'earliest', subjects: [`${TOPIC}.a`] })
  const batch = await filtered.readRaw({ waitMs: 1_000 })
  assert.deepEqual(batch?.pieces[0]?.offsets, [0, 2])
  assert.deepEqual(valuesOf(batch), [
    [0, 'one'],
    [2, 'three'],
  ])
  await bus.close()
})

test('a raw group reader settles by position, and says the attempt of what it gives again', async () => {
  const bus = await openBus()
  await bus.writeEncoded(write(1, bodyOf({ value: 'one' }, { value: 'two' })))
  const reader = bus.rawReader(TOPIC, { mode: 'group', group: 'g' })
  const batch = await reader.readRaw({ waitMs: 1_000 })
  const first = { position: { partition: 0, sequence: 0 }, orderKey: 'k' }
  await reader.settle([first], 'retry', { generation: batch!.generation, delayMs: 0 })
  await reader.acknowledge(batch!.last, batch!.generation, batch!.ordinal)
  const again = await reader.readRaw({ waitMs: 1_000 })
  assert.deepEqual(again?.attempts, [[0, 2]])
  assert.deepEqual(valuesOf(again), [[0, 'one']])
  await assert.rejects(reader.settle([first], 'retry', { generation: 99 }), { code: 'revoked' })
  await bus.close()
})

/** The least that has the producers of one of 16 partitions noted. */
const NOTED_BYTES = 2 * 1024 * 1024

async function stateBytes(disk: SimulatedDisk): Promise<number> {
  const folder = 'data/groups-state'
  const sizes = await Promise.all((await disk.list(folder)).map((name) => disk.size(`${folder}/${name}`)))
  return sizes.reduce<number>((sum, size) => sum + (size ?? 0), 0)
}

test('what was noted of batches that a power loss took is not believed of those that take their places', async () => {
  for (let seed = 1; seed <= 4; seed += 1) {
    const disk = new SimulatedDisk({ random: seededRandom(seed) })
    // Nothing is synced before it has to be: the log loses what was only written.
    const open = async (on: SimulatedDisk) => {
      const options = { disk: on, clock: systemClock, random: systemRandom, directory: 'data' }
      const bus = await openEmbeddedBus({ ...options, sync: { kind: 'os' } })
      await bus.open({ name: TOPIC, intent: 'telemetry', durability: 'written', partitions: 16 })
      return bus
    }
    const lost = await open(disk)
    const before = await stateBytes(disk)
    const large = bodyOf(...Array.from({ length: 3 }, () => ({ value: 'x'.repeat(NOTED_BYTES / 2) })))
    await lost.writeEncoded(write(1, large))
    await until(async () => (await stateBytes(disk)) > before)
    disk.losePower()
    await lost.close().catch(() => {})
    disk.restart()
    const after = await open(disk)
    for (let sequence = 1; sequence <= 5; sequence += 1) {
      const body = bodyOf({ value: `${sequence}` })
      await after.writeEncoded({ ...write(sequence, body), producerId: 8 })
    }
    disk.kill()
    await after.close().catch(() => {})
    disk.restart()
    const again = await open(disk)
    const reader = again.rawReader(TOPIC, { mode: 'broadcast', from: 'earliest' })
    const there = valuesOf(await reader.readRaw({ waitMs: 100 })).some(([, value]) => value.length > 10)
    assert.equal((await again.writeEncoded(write(1, large))).repeated, there, `seed ${seed}`)
    await again.close()
  }
})
