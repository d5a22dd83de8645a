import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { after, test } from 'node:test'
import { connect } from 'amqplib'
import {
  type ConnectionStatus,
  connectRabbitmqBus,
  type RabbitmqBus,
  type RabbitmqBusOptions,
} from '../../../src/bus/drivers/rabbitmq/index.ts'
import { systemClock, systemRandom } from '../../../src/core/system/index.ts'
import { freePorts } from '../../services/free-ports.ts'
import { requireService } from '../../services/require-service.ts'
import type { Service } from '../../services/service.ts'
import { until } from '../../until.ts'

const TOPIC = { name: 'plant.readings', intent: 'telemetry' } as const

const service = await requireService('rabbitmq')
const { skip } = service
let shared: Promise<Service> | undefined
after(async () => (await shared)?.stop())

function server(): Promise<Service> {
  shared ??= service.start({ mortal: true })
  return shared
}

async function bus(t: { after(end: () => Promise<void>): void }, more: Partial<RabbitmqBusOptions> = {}) {
  const url = more.url ?? (await server()).url
  const namespace = `test-${crypto.randomUUID().slice(0, 8)}`
  const opened = await connectRabbitmqBus({ namespace, clock: systemClock, random: systemRandom, ...more, url })
  t.after(() => opened.close())
  return opened
}

const write = (on: RabbitmqBus, value: string | Uint8Array) =>
  on.writer(TOPIC.name).write([{ subject: `${TOPIC.name}.a`, key: 'a', value }])

test('a broker that is down at the start is named by its address, without the password', { skip }, async (t) => {
  const [port] = await freePorts(1)
  const refused = bus(t, { url: `amqp://user:secret@127.0.0.1:${port}`, connectTimeoutMs: 300 })
  await assert.rejects(refused, (error: Error & { code?: string }) => {
    assert.equal(error.code, 'connection-lost')
    assert.match(error.message, new RegExp(`127\\.0\\.0\\.1:${port}`))
    assert.doesNotMatch(error.message, /secret/)
    return true
  })
})

test('a broker that comes up while it is waited for is found', { skip }, async (t) => {
  const own = await service.start({ mortal: true })
  t.after(() => own.stop())
  await own.nodes[0]!.kill()
  const waiting = bus(t, { url: own.url, connectTimeoutMs: 60_000 })
  await own.nodes[0]!.start()
  assert.equal((await waiting).server.version, own.version)
})

test('a wrong password and a wrong virtual host are refused at once', { skip }, async (t) => {
  const url = new URL((await server()).url)
  url.password = 'wrong'
  await assert.rejects(bus(t, { url: url.href }), { code: 'unauthorised' })
  const other = new URL((await server()).url)
  other.pathname = '/nowhere'
  await assert.rejects(bus(t, { url: other.href }), { code: 'unauthorised' })
})

test('TLS towards a port without it is told as that', { skip }, async (t) => {
  const url = (await server()).url.replace('amqp:', 'amqps:')
  await assert.rejects(bus(t, { url }), (error: Error & { code?: string }) => {
    assert.equal(error.code, 'bad-argument')
    assert.match(error.message, /does not speak TLS/)
    return true
  })
})

test('an address that is none is refused before anything is tried', { skip }, async (t) => {
  for (const url of ['http://127.0.0.1', 'amqp:', 'nonsense']) {
    await assert.rejects(bus(t, { url }), { code: 'bad-argument' })
  }
})

test('a stream that somebody made with other settings is named and left as it is', { skip }, async (t) => {
  const namespace = `test-${crypto.randomUUID().slice(0, 8)}`
  const opened = await bus(t, { namespace })
  const own = await connect((await server()).url)
  t.after(() => own.close())
  const channel = await own.createChannel()
  await channel.assertQueue(`${namespace}.log.${TOPIC.name}.0`, {
    durable: true,
    arguments: { 'x-queue-type': 'stream', 'x-max-length-bytes': 1_000_000 },
  })
  await assert.rejects(opened.open(TOPIC), (error: Error & { code?: string; details?: { setting?: string } }) => {
    assert.equal(error.code, 'bad-argument')
    assert.match(String(error.details?.setting), /^x-/)
    return true
  })
})

test('what the broker cannot do is refused at open, with its reason', { skip }, async (t) => {
  const opened = await bus(t)
  const asked = [
    { ...TOPIC, compaction: {} },
    { ...TOPIC, deduplicationWindowMs: 1_000 },
    { ...TOPIC, durability: 'durable' },
    { ...TOPIC, durability: 'replicated' },
    { ...TOPIC, replicationFactor: 3 },
    { ...TOPIC, racks: 2 },
    { ...TOPIC, compression: 'zstd' },
  ] as const
  for (const spec of asked) await assert.rejects(opened.open(spec), { code: 'unsupported' })
  assert.deepEqual(await opened.admin.listTopics(), [])
})

test('what the version of the broker lacks is said', { skip }, async (t) => {
  const { server: facts } = await bus(t)
  assert.equal(facts.product, 'RabbitMQ')
  assert.equal(
    facts.lacks.some((what) => what.startsWith('stream filters')),
    facts.version.startsWith('3.1'),
  )
})

test('a message over the limit of the broker is refused, and the writer goes on', { skip }, async (t) => {
  const own = await service.start({ mortal: true, settings: { config: 'max_message_size = 100000' } })
  t.after(() => own.stop())
  const opened = await bus(t, { url: own.url })
  await opened.open(TOPIC)
  const writer = opened.writer(TOPIC.name)
  const message = (bytes: number) => ({ subject: TOPIC.name, value: Buffer.alloc(bytes) })
  await assert.rejects(writer.write([message(200_000)]), (error: Error & { cause?: { code?: string } }) => {
    assert.equal(error.cause?.code, 'message-too-large')
    return true
  })
  assert.equal((await writer.write([message(50_000)])).accepted, 1)
})

test('a broker short of memory blocks writers: they wait within their bound, and go on after', { skip }, async (t) => {
  const own = await service.start({ mortal: true })
  t.after(() => own.stop())
  const states: ConnectionStatus[] = []
  const opened = await bus(t, { url: own.url, onStatus: (status) => states.push(status) })
  await opened.open(TOPIC)
  const [node] = own.nodes
  const config = join(dirname(node!.directory), 'home', 'rabbitmq.conf')
  const plenty = await readFile(config, 'utf8')
  const beginAgain = async (text: string) => {
    await node!.kill()
    await writeFile(config, text)
    await node!.start()
  }
  await beginAgain(`${plenty}vm_memory_high_watermark.absolute = 1MB\n`)
  const writer = opened.writer(TOPIC.name, { pendingBytesMax: 100_000 })
  const message = { subject: TOPIC.name, value: Buffer.alloc(10_000) }
  const stored: Promise<unknown>[] = []
  while (!writer.full) stored.push(writer.write([message]))
  await assert.rejects(writer.write([message]), { code: 'overloaded', retryable: true })
  await until(() => states.some(({ state }) => state === 'blocked'), { withinMs: 60_000 })
  await beginAgain(plenty)
  await Promise.all(stored)
  await writer.drained()
  assert.equal(writer.full, false)
})

test('a topic that is deleted behind our back is not-found for writers and readers', { skip }, async (t) => {
  const namespace = `test-${crypto.randomUUID().slice(0, 8)}`
  const opened = await bus(t, { namespace })
  await opened.open(TOPIC)
  const reader = opened.reader(TOPIC.name, { mode: 'broadcast', from: 'earliest' })
  await write(opened, 'one')
  assert.equal((await reader.read({ waitMs: 20_000 }))?.deliveries.length, 1)
  const own = await connect((await server()).url)
  t.after(() => own.close())
  const channel = await own.createChannel()
  await channel.deleteQueue(`${namespace}.log.${TOPIC.name}.0`)
  await assert.rejects(reader.read({ waitMs: 20_000 }), { code: 'not-found' })
  await assert.rejects(write(opened, 'two'), { code: 'not-found' })
})

test('a topic of which a partition is gone is refused at open, and no other is made in its place', {
  skip,
}, async (t) => {
  const namespace = `test-${crypto.randomUUID().slice(0, 8)}`
  const topic = { ...TOPIC, partitions: 3 }
  await (await bus(t, { namespace })).open(topic)
  const own = await connect((await server()).url)
  t.after(() => own.close())
  const stream = `${namespace}.log.${TOPIC.name}.1`
  await (await own.createChannel()).deleteQueue(stream)
  const opened = await bus(t, { namespace })
  await assert.rejects(opened.open(topic), { code: 'bad-argument', message: /3 partitions.*readings\.1 is gone/ })
  const channel = await own.createChannel()
  channel.on('error', () => {})
  await assert.rejects(channel.checkQueue(stream), /NOT_FOUND/)
  await opened.admin.deleteTopic(TOPIC.name)
  assert.equal((await opened.open(topic)).partitions, 3)
})

test('two readers of one group with other subjects: the later one is refused', { skip }, async (t) => {
  const opened = await bus(t)
  await opened.open(TOPIC)
  const first = opened.reader(TOPIC.name, { mode: 'group', group: 'g' })
  await write(opened, 'one')
  assert.equal((await first.read({ waitMs: 20_000 }))?.deliveries.length, 1)
  const second = opened.reader(TOPIC.name, { mode: 'group', group: 'g', subjects: [`${TOPIC.name}.b`] })
  await assert.rejects(second.read({ waitMs: 20_000 }), { code: 'bad-argument' })
})
