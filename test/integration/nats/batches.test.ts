import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { connect, type NatsConnection } from '@nats-io/transport-node'
import type { NatsBus } from '../../../src/bus/drivers/nats/index.ts'
import { WriteError } from '../../../src/bus/index.ts'
import { readToEnd } from '../../../src/transfer/index.ts'
import { requireService } from '../../services/require-service.ts'
import { TcpProxy } from '../../services/tcp-proxy.ts'
import { until } from '../../until.ts'
import { openBus } from './open-bus.ts'

const nats = await requireService('nats')
const { skip } = nats
const TOPIC = { name: 'try.batches', intent: 'telemetry' } as const
const STREAM = 'SKEIN-try_batches-0'
const MESSAGES = 1_000

/** Distinct, of about 200 bytes. */
const MANY = Array.from({ length: MESSAGES }, (_, index) => ({
  subject: `${TOPIC.name}.x`,
  key: 'k',
  value: String(index).padStart(200, '0'),
}))

/** What is stored, in its order, as the numbers in the values. */
async function stored(bus: NatsBus): Promise<number[]> {
  const { partitions } = await bus.admin.describeTopic(TOPIC.name)
  const numbers: number[] = []
  for await (const deliveries of readToEnd(bus, TOPIC.name, { from: partitions.map(({ start }) => start) })) {
    for (const delivery of deliveries) numbers.push(Number(delivery.text()))
  }
  return numbers
}

async function start(t: TestContext): Promise<{ readonly url: string; readonly operator: NatsConnection }> {
  const server = await nats.start()
  t.after(() => server.stop())
  const operator = await connect({ servers: server.url })
  t.after(() => operator.close())
  return { url: server.url, operator }
}

/** As an operator does it, behind the driver's back. */
async function changeStream(operator: NatsConnection, change: object): Promise<void> {
  const ask = async (call: string, body: object) => (await operator.request(call, JSON.stringify(body))).json()
  const { config } = (await ask(`$JS.API.STREAM.INFO.${STREAM}`, {})) as { config: object }
  const { error } = (await ask(`$JS.API.STREAM.UPDATE.${STREAM}`, { ...config, ...change })) as { error?: unknown }
  assert.equal(error, undefined)
}

/** A bus behind a proxy, beside one that reaches the server whatever the proxy does. */
async function openBehindProxy(t: TestContext) {
  const { url } = await start(t)
  const proxy = await TcpProxy.listen()
  t.after(() => proxy.close())
  const { hostname: host, port } = new URL(url)
  proxy.pointTo({ host, port: Number(port) })
  const bus = await openBus(t, { url: `nats://127.0.0.1:${proxy.port}`, pingIntervalMs: 500 })
  await bus.open(TOPIC)
  const witness = await openBus(t, { url })
  await witness.open(TOPIC)
  return { bus, witness, proxy }
}

test('a write of many is one batch for the server: it answers a few times, and stores each once, in order', {
  skip,
}, async (t) => {
  const { url, operator } = await start(t)
  const bus = await openBus(t, { url })
  await bus.open(TOPIC)
  let answers = 0
  operator.subscribe('_INBOX.>', {
    callback: (_, message) => {
      if (message.string().includes('seq')) answers += 1
    },
  })
  await operator.flush()
  const receipt = await bus.writer(TOPIC.name).write(MANY)
  await operator.flush()
  assert.deepEqual([receipt.accepted, receipt.duplicates], [MESSAGES, []])
  assert.deepEqual(receipt.positions, [{ partition: 0, sequence: MESSAGES - 1 }])
  assert.ok(answers > 0 && answers < 20, `the server answered ${answers} times`)
  assert.deepEqual(await stored(bus), Array.from(MANY.keys()))
})

test('a connection that breaks within a batch costs nothing: all of it is stored once, in order', {
  skip,
}, async (t) => {
  const { bus, witness, proxy } = await openBehindProxy(t)
  let pieces = 0
  proxy.set({
    onRequest: () => {
      pieces += 1
      if (pieces === 2) proxy.cut()
    },
  })
  const receipt = await bus.writer(TOPIC.name).write(MANY)
  assert.ok(pieces > 2, 'the connection was not cut within the batch')
  assert.deepEqual([receipt.accepted, receipt.duplicates], [MESSAGES, []])
  assert.deepEqual(await stored(witness), Array.from(MANY.keys()))
})

test('a batch that is stored and whose answer is lost is not stored again', { skip }, async (t) => {
  const { bus, witness, proxy } = await openBehindProxy(t)
  proxy.set({ isMute: true })
  const writing = bus.writer(TOPIC.name).write(MANY)
  await until(async () => (await stored(witness)).length === MESSAGES)
  proxy.set({})
  proxy.cut()
  const receipt = await writing
  assert.deepEqual([receipt.accepted, receipt.duplicates], [MESSAGES, []])
  assert.deepEqual(await stored(witness), Array.from(MANY.keys()))
})

test('a message that the server refuses ends its batch: the others are stored once, in order, and it is named', {
  skip,
}, async (t) => {
  const { url, operator } = await start(t)
  const bus = await openBus(t, { url })
  await bus.open(TOPIC)
  await changeStream(operator, { max_msg_size: 2_000 })
  for (const at of [0, 500, MESSAGES - 1]) {
    const batch = MANY.with(at, { ...MANY[at]!, value: 'x'.repeat(4_000) })
    const expected = Array.from(MANY.keys()).toSpliced(at, 1)
    const before = (await stored(bus)).length
    await assert.rejects(bus.writer(TOPIC.name).write(batch), (error) => {
      assert.ok(error instanceof WriteError)
      assert.deepEqual([error.accepted, error.unknown], [expected, []])
      return true
    })
    assert.deepEqual((await stored(bus)).slice(before), expected)
  }
})

test('a stream whose batches an operator turned off is written one by one', { skip }, async (t) => {
  const { url, operator } = await start(t)
  const bus = await openBus(t, { url })
  await bus.open(TOPIC)
  await changeStream(operator, { allow_batched: false })
  const receipt = await bus.writer(TOPIC.name).write(MANY)
  assert.deepEqual([receipt.accepted, receipt.duplicates], [MESSAGES, []])
  assert.deepEqual(await stored(bus), Array.from(MANY.keys()))
})

test('many writers at once into one stream have each their own in order', { skip }, async (t) => {
  const { url } = await start(t)
  const bus = await openBus(t, { url })
  await bus.open(TOPIC)
  const writers = [0, 1, 2, 3]
  const shares = writers.map((writer) => MANY.slice(writer * 250, (writer + 1) * 250))
  await Promise.all(shares.map((share) => bus.writer(TOPIC.name).write(share)))
  const all = await stored(bus)
  assert.equal(all.length, MESSAGES)
  for (const writer of writers) {
    const own = all.filter((number) => Math.floor(number / 250) === writer)
    assert.deepEqual(
      own,
      Array.from({ length: 250 }, (_, index) => writer * 250 + index),
    )
  }
})
