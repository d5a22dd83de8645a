import assert from 'node:assert/strict'
import { test } from 'node:test'
import { until } from '../../../../test/until.ts'
import { SimulatedDisk, seededRandom } from '../../../../testing/index.ts'
import { systemClock, systemRandom } from '../../../core/system/index.ts'
import { RecordBatchBuilder } from '../../../log/index.ts'
import { type EmbeddedBus, openEmbeddedBus } from './index.ts'

const TOPIC = 'compacted.topic'
const FILLER = 'x'.repeat(1_500)

async function open(disk: SimulatedDisk): Promise<EmbeddedBus> {
  const bus = await openEmbeddedBus({
    disk,
    clock: systemClock,
    random: systemRandom,
    directory: 'data',
    segmentBytes: 4_096,
    maintenanceIntervalMs: 5,
  })
  const compaction = { tombstoneMs: 60_000 }
  await bus.open({ name: TOPIC, intent: 'event', durability: 'durable', deduplicationWindowMs: 600_000, compaction })
  return bus
}

const put = (value: string, id?: string) => ({ subject: TOPIC, key: 'k', value, ...(id !== undefined && { id }) })

async function valuesOf(bus: EmbeddedBus): Promise<string[]> {
  const reader = bus.reader(TOPIC, { mode: 'broadcast', from: 'earliest' })
  const values: string[] = []
  for (let batch = await reader.read({ waitMs: 20 }); batch !== null; batch = await reader.read({ waitMs: 20 })) {
    values.push(...batch.deliveries.map((delivery) => delivery.text()).filter((text) => text !== FILLER))
  }
  await reader.close()
  return values
}

/** Closes segments until the values without an id have been compacted to those that stay. */
async function compactTo(bus: EmbeddedBus, values: readonly string[]): Promise<void> {
  for (let index = 0; index < 6; index += 1) {
    await bus.writer(TOPIC).write([{ subject: TOPIC, key: `filler-${index}`, value: FILLER }])
  }
  await until(async () => `${await valuesOf(bus)}` === `${values}`)
}

test('a repeat of a value that compaction would have taken is known by its id, also after a power loss', async () => {
  const disk = new SimulatedDisk({ random: seededRandom(1) })
  const first = await open(disk)
  const writer = first.writer(TOPIC)
  await writer.write([put('without an id')])
  await writer.write([put('old', 'id-1')])
  await writer.write([put('new', 'id-2')])
  await compactTo(first, ['old', 'new'])
  disk.losePower()
  await first.close().catch(() => {})
  disk.restart()
  const again = await open(disk)
  const { duplicates } = await again.writer(TOPIC).write([put('old', 'id-1')])
  assert.deepEqual(duplicates, [0])
  assert.deepEqual(await valuesOf(again), ['old', 'new'])
  await again.close()
})

test('a batch that its producer sends again is known after a kill, though compaction took its record', async () => {
  const disk = new SimulatedDisk()
  const first = await open(disk)
  const builder = new RecordBatchBuilder()
  builder.add({ ...put('old'), timestampMs: 5 })
  const body = Buffer.concat(builder.finish().parts)
  const batch = { topic: TOPIC, partition: 0, body, firstTimestampMs: 5, producerId: 7, sequence: 1 }
  const { last } = await first.writeEncoded(batch)
  await first.writer(TOPIC).write([put('new')])
  await compactTo(first, ['new'])
  disk.kill()
  await first.close().catch(() => {})
  disk.restart()
  const again = await open(disk)
  const repeat = await again.writeEncoded(batch)
  assert.deepEqual([repeat.repeated, repeat.last], [true, last])
  assert.deepEqual(await valuesOf(again), ['new'])
  await again.close()
})
