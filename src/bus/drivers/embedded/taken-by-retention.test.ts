import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { until } from '../../../../test/until.ts'
import { memoryDisk, type SkeinError } from '../../../core/index.ts'
import { systemClock, systemRandom } from '../../../core/system/index.ts'
import { openEmbeddedBus } from './index.ts'

const TOPIC = 'fleeting.topic'
const SEGMENT_BYTES = 64 * 1024
const GONE = { code: 'position-gone', message: /retention has taken/ }

/** A group reader that has the first three of its messages in hand, and the way to have retention take these. */
async function inHand(context: TestContext) {
  const bus = await openEmbeddedBus({
    ...{ disk: memoryDisk(), clock: systemClock, random: systemRandom, directory: 'data' },
    ...{ segmentBytes: SEGMENT_BYTES, maintenanceIntervalMs: 5 },
  })
  context.after(() => bus.close())
  await bus.open({ name: TOPIC, intent: 'telemetry', durability: 'none', retention: { bytes: 1_024 } })
  const writer = bus.writer(TOPIC)
  for (const key of ['a', 'b', 'c']) await writer.write([{ subject: TOPIC, key, value: key }])
  const reader = bus.reader(TOPIC, { mode: 'group', group: 'g', retry: { attemptsMax: 2 } })
  const batch = await reader.read({ waitMs: 10_000 })
  const takeAll = async () => {
    const value = 'x'.repeat(SEGMENT_BYTES)
    await until(async () => {
      await writer.write([{ subject: TOPIC, key: 'filling', value }])
      return (await bus.admin.describeTopic(TOPIC)).partitions[0]!.start.sequence > 3
    })
  }
  return { reader, deliveries: batch!.deliveries, takeAll, writer }
}

test('Whoever reads is told once of messages that retention took while they waited for their retry', async (context) => {
  const { reader, deliveries, takeAll, writer } = await inHand(context)
  assert.equal(deliveries.length, 3)
  await reader.settle(deliveries, 'retry', { delayMs: 50 })
  await takeAll()
  await writer.write([{ subject: TOPIC, key: 'a', value: 'after' }])
  const texts: string[] = []
  const told: SkeinError[] = []
  await until(async () => {
    const batch = await reader.read({ waitMs: 10 }).catch((error: SkeinError) => {
      // What retention took of what nobody had read is another gap, and told in other words.
      assert.equal(error.code, 'position-gone')
      if (GONE.message.test(error.message)) told.push(error)
      return null
    })
    texts.push(...(batch?.deliveries ?? []).map((delivery) => delivery.text()))
    if (batch !== null) await reader.acknowledge(batch.last)
    return texts.includes('after') && told.length > 0
  })
  await reader.read({ waitMs: 100 }).then((batch) => assert.equal(batch, null))
  assert.equal(told.length, 1)
  assert.deepEqual([told[0]!.details.topic, told[0]!.details.partition], [TOPIC, 0])
  assert.ok(
    (await reader.lag()).every(({ messages }) => messages === 0),
    'what is gone holds nothing up',
  )
})

test('Whoever reads is told of a message that died and left no dead letter, for retention had taken it', async (context) => {
  const { reader, deliveries, takeAll } = await inHand(context)
  await takeAll()
  await reader.settle(deliveries.slice(0, 1), 'dead', { error: 'no' })
  await assert.rejects(reader.read({ waitMs: 10_000 }), GONE)
})
