import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SimulatedDisk } from '../../../../testing/index.ts'
import { systemClock, systemRandom } from '../../../core/system/index.ts'
import type { Reader } from '../../index.ts'
import { openEmbeddedBus } from './index.ts'

const TOPIC = 'failing.topic'
const WAIT_MS = 300

function open(disk: SimulatedDisk) {
  return openEmbeddedBus({ disk, clock: systemClock, random: systemRandom, directory: 'data' })
}

/** A backlog of messages with keys of their own, of a process that has ended. */
async function backlog(disk: SimulatedDisk, count: number): Promise<readonly string[]> {
  const bus = await open(disk)
  await bus.open({ name: TOPIC, intent: 'event', durability: 'durable', deduplicationWindowMs: 0 })
  const values = Array.from({ length: count }, (_, index) => `value ${index}`)
  for (const value of values) await bus.writer(TOPIC).write([{ subject: TOPIC, key: value, value }])
  await bus.drain()
  return values
}

/** Reads and acknowledges two at a time until nothing comes, over errors. */
async function readAll(reader: Reader, onError: (count: number) => void): Promise<string[]> {
  const seen: string[] = []
  for (let errors = 0; errors < 10; ) {
    try {
      const batch = await reader.read({ maxMessages: 2, waitMs: WAIT_MS })
      if (batch === null) break
      seen.push(...batch.deliveries.map((delivery) => `${delivery.text()} as ${delivery.attempt}`))
      await reader.acknowledge(batch.last)
    } catch {
      errors += 1
      onError(errors)
    }
  }
  return seen
}

test('a retried message survives a read that fails, and is counted once', async () => {
  const disk = new SimulatedDisk()
  await backlog(disk, 3)
  const bus = await open(disk)
  const reader = bus.reader(TOPIC, { mode: 'group', group: 'g' })
  const first = await reader.read({ maxMessages: 1, waitMs: WAIT_MS })
  await reader.settle(first!.deliveries, 'retry', { delayMs: 0, error: 'not now' })
  disk.fail({ call: 'read', nth: 1, errno: 'EIO' })
  let errors = 0
  const seen = await readAll(reader, () => {
    errors += 1
  })
  assert.equal(errors, 1)
  assert.deepEqual(seen.sort(), ['value 0 as 2', 'value 1 as 1', 'value 2 as 1'])
  await bus.close()
})

test('what a read could not give, because the count of it could not be stored, is given by the next, in order', async () => {
  const disk = new SimulatedDisk()
  const values = await backlog(disk, 6)
  const bus = await open(disk)
  const reader = bus.reader(TOPIC, { mode: 'group', group: 'g' })
  disk.fail({ call: 'writev', nth: 1, errno: 'EIO', forGood: true })
  const seen = await readAll(reader, (errors) => {
    if (errors === 3) disk.heal()
  })
  assert.deepEqual(
    seen,
    values.map((value) => `${value} as 1`),
  )
  await bus.close()
})

test('a backlog is read on a full disk', async () => {
  const disk = new SimulatedDisk()
  const values = await backlog(disk, 6)
  const bus = await open(disk)
  const reader = bus.reader(TOPIC, { mode: 'group', group: 'g' })
  disk.fail({ call: 'writev', nth: 1, errno: 'ENOSPC', forGood: true })
  const seen: string[] = []
  while (seen.length < values.length) {
    const batch = await reader.read({ maxMessages: 2, waitMs: WAIT_MS })
    seen.push(...batch!.deliveries.map((delivery) => delivery.text()))
    await assert.rejects(reader.acknowledge(batch!.last), { code: 'disk-full' })
  }
  assert.deepEqual(seen, values)
  disk.heal()
  await bus.drain()
  const after = await open(disk)
  assert.equal(await after.reader(TOPIC, { mode: 'group', group: 'g' }).read({ waitMs: 50 }), null)
  await after.close()
})

for (const mode of ['group', 'broadcast'] as const) {
  test(`a ${mode} reader at the end gets every message in order, written at whatever durability`, async () => {
    const disk = new SimulatedDisk()
    const bus = await open(disk)
    await bus.open({ name: TOPIC, intent: 'event', durability: 'durable', deduplicationWindowMs: 0 })
    const options = mode === 'group' ? { mode, group: 'g' } : { mode, from: 'latest' as const }
    for (const subjects of [undefined, [TOPIC]]) {
      const reader = bus.reader(TOPIC, { ...options, ...(subjects && { subjects }) })
      const seen: string[] = []
      const reading = (async () => {
        while (seen.length < 40) {
          const batch = await reader.read({ waitMs: 2_000 })
          if (batch === null) return
          seen.push(...batch.deliveries.map((delivery) => delivery.text()))
          await reader.acknowledge(batch.last)
        }
      })()
      const sent: string[] = []
      for (let round = 0; round < 20; round += 1) {
        const writes = (['durable', 'written'] as const).map((durability) => {
          const value = `${round} ${durability}`
          sent.push(value)
          return bus.writer(TOPIC, { durability }).write([{ subject: TOPIC, key: 'k', value }])
        })
        await Promise.all(writes)
        await new Promise((resolve) => setTimeout(resolve, 1))
      }
      await reading
      assert.deepEqual(seen, sent)
      await reader.close()
    }
    await bus.close()
  })
}
