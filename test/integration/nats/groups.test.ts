import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Reader } from '../../../src/bus/index.ts'
import { requireService } from '../../services/require-service.ts'
import { TcpProxy } from '../../services/tcp-proxy.ts'
import { openBus } from './open-bus.ts'

const nats = await requireService('nats')
const { skip } = nats
const TOPIC = { name: 'try.topic', intent: 'telemetry', partitions: 4 } as const
const WAIT_MS = 20_000

async function take(reader: Reader, count: number): Promise<string[]> {
  const taken: string[] = []
  while (taken.length < count) {
    const batch = await reader.read({ waitMs: WAIT_MS })
    assert.ok(batch !== null, `only ${taken.length} of ${count} came`)
    taken.push(...batch.deliveries.map((delivery) => delivery.text()))
    await reader.acknowledge(batch.last, batch.generation)
  }
  return taken.sort()
}

test('readers of one group in different connections share the partitions, and a lost one is replaced', {
  skip,
}, async (t) => {
  const server = await nats.start()
  t.after(() => server.stop())
  const proxy = await TcpProxy.listen()
  t.after(() => proxy.close())
  const { hostname: host, port } = new URL(server.url)
  proxy.pointTo({ host, port: Number(port) })
  const doomed = await openBus(t, { url: `nats://127.0.0.1:${proxy.port}`, pingIntervalMs: 500 })
  const bus = await openBus(t, { url: server.url })
  await bus.open(TOPIC)
  await doomed.open(TOPIC)
  const numbers = Array.from({ length: 40 }, (_, index) => String(index))
  const messages = numbers.map((value) => ({ subject: TOPIC.name, key: `k${Number(value) % 20}`, value }))
  const first = doomed.reader(TOPIC.name, { mode: 'group', group: 'g' })
  await first.read({ waitMs: 10 })
  const second = bus.reader(TOPIC.name, { mode: 'group', group: 'g' })
  await bus.writer(TOPIC.name).write(messages)
  assert.ok((await first.read({ waitMs: WAIT_MS })) !== null, 'the first reader has no share')
  // From here on the first says nothing any more, and what it has in hand is never acknowledged.
  proxy.set({ isDeaf: true })
  assert.deepEqual(await take(second, 40), [...numbers].sort())
})

test('an application that comes again after its death goes on at once', { skip }, async (t) => {
  const server = await nats.start()
  t.after(() => server.stop())
  const first = await openBus(t, { url: server.url })
  await first.open(TOPIC)
  await first.writer(TOPIC.name).write(['1', '2'].map((value) => ({ subject: TOPIC.name, key: 'k', value })))
  const before = first.reader(TOPIC.name, { mode: 'group', group: 'g' })
  const batch = await before.read({ waitMs: WAIT_MS, maxMessages: 1 })
  await before.acknowledge(batch!.last)
  // A connection that is gone is what the servers see of a process that was killed.
  const again = await openBus(t, { url: server.url })
  await first.close()
  assert.deepEqual(await take(again.reader(TOPIC.name, { mode: 'group', group: 'g' }), 1), ['2'])
})

test('readers of one group with other subjects are refused', { skip }, async (t) => {
  const server = await nats.start()
  t.after(() => server.stop())
  const bus = await openBus(t, { url: server.url })
  await bus.open(TOPIC)
  await bus.reader(TOPIC.name, { mode: 'group', group: 'g' }).read({ waitMs: 10 })
  const other = bus.reader(TOPIC.name, { mode: 'group', group: 'g', subjects: [`${TOPIC.name}.x`] })
  await assert.rejects(other.read({ waitMs: WAIT_MS }), { code: 'bad-argument' })
})
