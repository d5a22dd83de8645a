import assert from 'node:assert/strict'
import { test } from 'node:test'
import { until } from '../../../../test/until.ts'
import { SimulatedDisk } from '../../../../testing/index.ts'
import type { SkeinError } from '../../../core/index.ts'
import { systemClock, systemRandom } from '../../../core/system/index.ts'
import { type Bus, type Delivery, deadLetterTopic, type Message, type Reader } from '../../index.ts'
import { openEmbeddedBus } from './index.ts'

const TOPIC = 'poison.topic'
const WAIT_MS = 20_000

function openBus(disk: SimulatedDisk): Promise<Bus> {
  return openEmbeddedBus({ disk, clock: systemClock, random: systemRandom, directory: 'data' })
}

async function write(bus: Bus, message: Partial<Message>): Promise<void> {
  await bus.writer(TOPIC).write([{ subject: TOPIC, key: 'k', value: '', ...message }])
}

function groupReader(bus: Bus): Reader {
  return bus.reader(TOPIC, { mode: 'group', group: 'g', retry: { attemptsMax: 2, delayMs: 1 } })
}

async function next(reader: Reader): Promise<Delivery> {
  const batch = await reader.read({ waitMs: WAIT_MS, maxMessages: 1 })
  assert.ok(batch !== null, 'nothing came')
  return batch.deliveries[0]!
}

async function letters(bus: Bus): Promise<Delivery[]> {
  const reader = bus.reader(deadLetterTopic(TOPIC), { mode: 'broadcast', from: 'earliest' })
  const [end] = await reader.end()
  const found: Delivery[] = []
  while (found.length < end!.sequence) found.push(...(await reader.read({ waitMs: WAIT_MS }))!.deliveries)
  await reader.close()
  return found
}

/** Fails it until it is dead, and gives what comes behind it. */
async function dies(bus: Bus, value: string): Promise<void> {
  const reader = groupReader(bus)
  for (let attempt = 1; attempt <= 2; attempt += 1) {
    const delivery = await next(reader)
    assert.deepEqual([delivery.text() === value, delivery.attempt], [true, attempt])
    await reader.settle([delivery], 'retry', { error: 'cannot' })
  }
  const behind = await next(reader)
  assert.equal(behind.text(), 'behind it')
  await reader.acknowledge(behind.position)
  assert.equal((await reader.lag())[0]!.messages, 0)
  await reader.close()
}

test('a message whose headers fill their bound dies as any other', async () => {
  const bus = await openBus(new SimulatedDisk())
  await bus.open({ name: TOPIC, intent: 'event', durability: 'durable' })
  const headers = Object.fromEntries(Array.from({ length: 10 }, (_, index) => [`h${index}`, 'x'.repeat(6_540 + index)]))
  await write(bus, { value: 'p', headers })
  await write(bus, { value: 'behind it' })
  await dies(bus, 'p')
  const [letter] = await letters(bus)
  assert.equal(letter!.headers.skeinomitted, 'h9')
  assert.equal(letter!.headers.h8, headers.h8)
  assert.equal(letter!.headers.skeindeaderror, 'cannot')
  assert.equal(await bus.admin.replayDeadLetters(TOPIC), 1)
  const again = await next(groupReader(bus))
  assert.deepEqual([again.text(), again.headers.skeinomitted, again.headers.h8], ['p', 'h9', headers.h8])
  await bus.close()
})

test('a topic that was made again with a larger bound has letters as large as its messages', async () => {
  const bus = await openBus(new SimulatedDisk())
  await bus.open({ name: TOPIC, intent: 'event', durability: 'durable', messageBytesMax: 100 })
  await write(bus, { value: 'p' })
  await write(bus, { value: 'behind it' })
  await dies(bus, 'p')
  await bus.admin.deleteTopic(TOPIC)
  await bus.open({ name: TOPIC, intent: 'event', durability: 'durable', messageBytesMax: 100_000 })
  const value = 'p'.repeat(50_000)
  await write(bus, { value })
  await write(bus, { value: 'behind it' })
  await dies(bus, value)
  assert.deepEqual(
    (await letters(bus)).map((letter) => letter.text().length),
    [1, 50_000],
  )
  await bus.close()
})

test('a letter that cannot be stored is told of, and tried again: its message is given to nobody and holds back its key', async () => {
  const disk = new SimulatedDisk()
  const bus = await openBus(disk)
  await bus.open({ name: TOPIC, intent: 'event', durability: 'durable' })
  await write(bus, { value: 'poison' })
  await write(bus, { value: 'behind it' })
  const reader = groupReader(bus)
  await reader.settle([await next(reader)], 'retry')
  const poison = await next(reader)
  await write(bus, { key: 'other', value: 'of another key' })
  // Its topic of dead letters cannot be made, nor written, while the disk is full.
  disk.fail({ call: 'writev', nth: 1, errno: 'ENOSPC', forGood: true })
  const told: SkeinError = await reader.settle([poison], 'retry', { error: 'cannot' }).then(
    () => assert.fail('it was buried on a full disk'),
    (error) => error,
  )
  assert.equal(told.code, 'dead-letter-failed')
  assert.deepEqual(told.details, { topic: TOPIC, partition: 0, offset: 0, attempts: 2 })
  const other = await next(reader)
  assert.equal(other.text(), 'of another key')
  await reader.acknowledge(other.position).catch(() => {})
  assert.equal(await reader.read({ waitMs: 1_500 }), null)
  assert.equal((await reader.lag())[0]!.messages, 3)
  disk.heal()
  assert.equal((await next(reader)).text(), 'behind it')
  await until(async () => (await letters(bus)).length === 1)
  const [letter] = await letters(bus)
  assert.deepEqual(
    [letter!.text(), letter!.headers.skeindeaderror, letter!.headers.skeindeadattempts],
    ['poison', 'cannot', '2'],
  )
  await bus.close()
})
