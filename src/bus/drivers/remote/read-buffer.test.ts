import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SimulatedClock } from '../../../../testing/index.ts'
import { RecordBatchBuilder } from '../../../log/index.ts'
import { ReadBuffer } from './read-buffer.ts'

function bufferOf(clock = new SimulatedClock()): ReadBuffer {
  return new ReadBuffer({ topic: 't', clock, bytesMax: 100_000, credit: () => {}, onExpired: () => {} })
}

/** A batch of one message, as the node sends it. */
function add(buffer: ReadBuffer, at: { readonly number: number; readonly partition: number; readonly value: string }) {
  const { number, partition, value } = at
  const builder = new RecordBatchBuilder()
  builder.add({ subject: 't', key: 'k', value, timestampMs: 1 })
  const body = Buffer.concat(builder.finish().parts)
  buffer.add(
    {
      ...{ number, epoch: 0, partition, generation: 1, lastSequence: number, count: 1 },
      pieces: [[body.byteLength, number, 1, 1, number, number, 1, null]],
      ...{ attempts: [], dropped: 0, sentAtMs: 1 },
    },
    { body, generation: 1, fromSequence: number },
  )
}

async function readNow(buffer: ReadBuffer, clock: SimulatedClock): Promise<readonly string[]> {
  const reading = buffer.read({ waitMs: 1 })
  await clock.advance(1)
  return (await reading)?.deliveries.map((delivery) => delivery.text()) ?? []
}

test('Messages of a partition in which others are being settled are read when all of that is over', async () => {
  const clock = new SimulatedClock()
  const buffer = bufferOf(clock)
  buffer.hold([0])
  buffer.hold([0])
  add(buffer, { number: 0, partition: 0, value: 'behind' })
  add(buffer, { number: 1, partition: 1, value: 'elsewhere' })
  assert.deepEqual(await readNow(buffer, clock), ['elsewhere'])
  buffer.letGo([0])
  assert.deepEqual(await readNow(buffer, clock), [])
  buffer.letGo([0])
  assert.deepEqual(await readNow(buffer, clock), ['behind'])
})
