import assert from 'node:assert/strict'
import { test } from 'node:test'
import { connect, type NatsConnection } from '@nats-io/transport-node'
import { UnsupportedError } from '../../../src/core/index.ts'
import { requireService } from '../../services/require-service.ts'
import { openBus } from './open-bus.ts'

const nats = await requireService('nats')
const { skip } = nats
const TOPIC = { name: 'try.topic', intent: 'telemetry' } as const
const STREAM = 'SKEIN-try_topic-0'

async function api(
  connection: NatsConnection,
  call: string,
  body: unknown,
): Promise<{ config: object; error?: unknown }> {
  return (await connection.request(`$JS.API.${call}`, JSON.stringify(body))).json()
}

test('a stream that an operator changed is named with its setting, and left as it is', { skip }, async (t) => {
  const server = await nats.start()
  t.after(() => server.stop())
  await (await openBus(t, { url: server.url })).open(TOPIC)
  const operator = await connect({ servers: server.url })
  t.after(() => operator.close())
  const { config } = await api(operator, `STREAM.INFO.${STREAM}`, {})
  await api(operator, `STREAM.UPDATE.${STREAM}`, { ...config, max_age: 60_000_000_000 })
  const bus = await openBus(t, { url: server.url })
  await assert.rejects(bus.open(TOPIC), { code: 'bad-argument', message: /max_age is 60000000000/ })
  const after = await api(operator, `STREAM.INFO.${STREAM}`, {})
  assert.equal((after.config as { max_age: number }).max_age, 60_000_000_000)
})

test('a topic whose partitions shrank, or one of which was changed, is refused, and nothing is made in their place', {
  skip,
}, async (t) => {
  const server = await nats.start()
  t.after(() => server.stop())
  const topic = { ...TOPIC, partitions: 3 }
  await (await openBus(t, { url: server.url })).open(topic)
  const operator = await connect({ servers: server.url })
  t.after(() => operator.close())
  const { config } = await api(operator, 'STREAM.INFO.SKEIN-try_topic-1', {})
  await api(operator, 'STREAM.UPDATE.SKEIN-try_topic-1', { ...config, max_bytes: 1_000_000 })
  const bus = await openBus(t, { url: server.url })
  await assert.rejects(bus.open(topic), {
    code: 'bad-argument',
    message: /SKEIN-try_topic-1: its max_bytes is 1000000/,
  })
  await api(operator, 'STREAM.UPDATE.SKEIN-try_topic-1', config)
  await bus.open(topic)
  await api(operator, 'STREAM.DELETE.SKEIN-try_topic-2', {})
  const later = await openBus(t, { url: server.url })
  await assert.rejects(later.open(topic), { code: 'bad-argument', message: /3 partitions.*SKEIN-try_topic-2 is gone/ })
  assert.ok((await api(operator, 'STREAM.INFO.SKEIN-try_topic-2', {})).error)
})

test('a topic whose first partition is gone is refused, written to or not, until what is left of it is deleted', {
  skip,
}, async (t) => {
  const server = await nats.start()
  t.after(() => server.stop())
  const operator = await connect({ servers: server.url })
  t.after(() => operator.close())
  for (const isWritten of [false, true]) {
    const topic = { ...TOPIC, partitions: 3 }
    const maker = await openBus(t, { url: server.url })
    await maker.open(topic)
    if (isWritten) await maker.writer(TOPIC.name).write([{ subject: TOPIC.name, value: 'x' }])
    await api(operator, 'STREAM.DELETE.SKEIN-try_topic-0', {})
    const bus = await openBus(t, { url: server.url })
    const refusal = { code: 'bad-argument', message: /3 partitions.*SKEIN-try_topic-0 is gone/ }
    for (const spec of [topic, TOPIC]) await assert.rejects(bus.open(spec), refusal)
    await assert.rejects(bus.admin.describeTopic(TOPIC.name), refusal)
    assert.ok((await api(operator, 'STREAM.INFO.SKEIN-try_topic-0', {})).error)
    await bus.admin.deleteTopic(TOPIC.name)
    await bus.open({ ...topic, partitions: 2 })
    await bus.admin.deleteTopic(TOPIC.name)
  }
})

test('a topic whose making ended half-way is made whole', { skip }, async (t) => {
  const server = await nats.start()
  t.after(() => server.stop())
  const operator = await connect({ servers: server.url })
  t.after(() => operator.close())
  const topic = { ...TOPIC, partitions: 3 }
  const maker = await openBus(t, { url: server.url })
  await maker.open(topic)
  const { config } = await api(operator, 'STREAM.INFO.SKEIN-try_topic-1', {})
  await maker.admin.deleteTopic(TOPIC.name)
  await api(operator, 'STREAM.CREATE.SKEIN-try_topic-1', config)
  const bus = await openBus(t, { url: server.url })
  assert.equal((await bus.open(topic)).partitions, 3)
})

test('a stream of that name which Skein did not make is refused', { skip }, async (t) => {
  const server = await nats.start()
  t.after(() => server.stop())
  const operator = await connect({ servers: server.url })
  t.after(() => operator.close())
  await api(operator, `STREAM.CREATE.${STREAM}`, { name: STREAM, subjects: ['elsewhere'] })
  const bus = await openBus(t, { url: server.url })
  await assert.rejects(bus.open(TOPIC), { code: 'bad-argument', message: /was not made by Skein/ })
})

test('a server without JetStream keeps nothing: a stored topic is refused, an ephemeral one opens', {
  skip,
}, async (t) => {
  const server = await nats.start({ settings: { jetstream: 'off' } })
  t.after(() => server.stop())
  const bus = await openBus(t, { url: server.url })
  await assert.rejects(bus.open(TOPIC), (error) => error instanceof UnsupportedError && error.feature === 'storage')
  await bus.open({ name: 'try.notice', intent: 'notice' })
})

test('a limit of the server is named when a topic opens, and when headers make a message too large', {
  skip,
}, async (t) => {
  const server = await nats.start({ settings: { config: 'max_payload: 100000\n' } })
  t.after(() => server.stop())
  const bus = await openBus(t, { url: server.url })
  await assert.rejects(bus.open(TOPIC), { code: 'unsupported', message: /max_payload/ })
  await bus.open({ ...TOPIC, messageBytesMax: 100_000 })
  const message = { subject: TOPIC.name, value: Buffer.alloc(99_000), headers: { long: 'x'.repeat(2_000) } }
  await assert.rejects(bus.writer(TOPIC.name).write([message]), { code: 'message-too-large', message: /max_payload/ })
})

test('more replicas than servers are refused by name', { skip }, async (t) => {
  const server = await nats.start()
  t.after(() => server.stop())
  const bus = await openBus(t, { url: server.url })
  await assert.rejects(bus.open({ ...TOPIC, replicationFactor: 3 }), { code: 'unsupported' })
})

test('three replicas make a topic replicated, one makes it written; the operator’s word is marked as such', {
  skip,
}, async (t) => {
  const server = await nats.start({ nodes: 3 })
  t.after(() => server.stop())
  const bus = await openBus(t, { url: server.urls })
  const replicated = await bus.open({ ...TOPIC, intent: 'event', replicationFactor: 3 })
  assert.equal(replicated.durability, 'replicated')
  const one = await bus.open({ name: 'try.one', intent: 'telemetry' })
  assert.equal(one.durability, 'written')
  const trusting = await openBus(t, { url: server.urls, syncAlways: true })
  assert.equal((await trusting.open({ ...TOPIC, intent: 'event' })).durability, 'quorum-durable')
  const receipt = await trusting.writer(TOPIC.name).write([{ subject: TOPIC.name, value: 'x' }])
  assert.deepEqual([receipt.durability, receipt.asserted], ['quorum-durable', true])
})
