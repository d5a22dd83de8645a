import assert from 'node:assert/strict'
import { test } from 'node:test'
import { busOf, kafka, startBroker, take, texts } from './kafka-broker.ts'

test('brokers without the group protocol of Kafka 4 are told as that by a group; what needs none of it goes on', {
  skip: kafka.skip,
}, async (t) => {
  const broker = await startBroker({ 'group.coordinator.rebalance.protocols': 'classic' })
  t.after(() => broker.stop())
  const bus = await busOf(t, broker)
  await bus.open({ name: 'older.topic', intent: 'telemetry' })
  await bus.writer('older.topic').write([{ subject: 'older.topic', value: 'one' }])
  const grouped = bus.reader('older.topic', { mode: 'group', group: 'g' })
  await assert.rejects(grouped.read({ waitMs: 30_000 }), {
    code: 'unsupported',
    message: /from 4\.0 on; upgrade them/,
  })
  const reader = bus.reader('older.topic', { mode: 'broadcast', from: 'earliest' })
  assert.deepEqual(texts(await take(reader, 1)), ['one'])
})
