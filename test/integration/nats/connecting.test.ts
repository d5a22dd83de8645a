import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ConnectionState } from '../../../src/bus/drivers/nats/index.ts'
import { SkeinError } from '../../../src/core/index.ts'
import { freePorts } from '../../services/free-ports.ts'
import { requireService } from '../../services/require-service.ts'
import { makeCertificates } from '../certificates.ts'
import { openBus } from './open-bus.ts'

const nats = await requireService('nats')
const { skip } = nats
const TOPIC = { name: 'try.topic', intent: 'telemetry' } as const

test('a server that is down at the start is tried for, visibly, and named when the time is over', async (t) => {
  const [port] = await freePorts(1)
  const states: ConnectionState[] = []
  const onState = (state: ConnectionState) => states.push(state)
  const opening = openBus(t, { url: `nats://user:secret@127.0.0.1:${port}`, connectTimeoutMs: 600, onState })
  await assert.rejects(opening, (error) => {
    assert.ok(error instanceof SkeinError)
    assert.equal(error.code, 'connection-lost')
    assert.ok(error.retryable)
    assert.match(error.message, new RegExp(`127\\.0\\.0\\.1:${port}`))
    assert.doesNotMatch(error.message, /secret/)
    return true
  })
  assert.ok(states.length > 1 && states.every(({ state }) => state === 'reconnecting'))
})

test('a server that comes up in time is connected to', { skip }, async (t) => {
  const server = await nats.start({ mortal: true })
  t.after(() => server.stop())
  const [node] = server.nodes
  await node!.kill()
  const opening = openBus(t, { url: server.url, connectTimeoutMs: 20_000 })
  await node!.start()
  await (await opening).open(TOPIC)
})

test('a write waits for a server that dies in mid-stream, and the states tell', { skip }, async (t) => {
  const server = await nats.start({ mortal: true })
  t.after(() => server.stop())
  const [node] = server.nodes
  const states: string[] = []
  const bus = await openBus(t, { url: server.url, onState: ({ state }) => states.push(state) })
  await bus.open(TOPIC)
  const writer = bus.writer(TOPIC.name)
  await writer.write([{ subject: TOPIC.name, value: 'before' }])
  await node!.kill()
  const writing = writer.write([{ subject: TOPIC.name, value: 'while it is down' }])
  await node!.start()
  assert.equal((await writing).accepted, 1)
  assert.deepEqual(states.slice(0, 3), ['connected', 'reconnecting', 'connected'])
})

test('wrong credentials are refused with unauthorised, and not told', { skip }, async (t) => {
  const config = 'authorization { user: skein, password: right }\n'
  const server = await nats.start({ settings: { config } })
  t.after(() => server.stop())
  const { host } = new URL(server.url)
  await assert.rejects(openBus(t, { url: `nats://skein:wrong@${host}` }), (error) => {
    assert.ok(error instanceof SkeinError)
    assert.equal(error.code, 'unauthorised')
    assert.doesNotMatch(error.message, /wrong@/)
    return true
  })
  const bus = await openBus(t, { url: `nats://skein:right@${host}` })
  assert.deepEqual(await bus.admin.listTopics(), [])
})

test('TLS is used where the server wants it, and a mismatch says what to do', { skip }, async (t) => {
  const { ca, certFile, keyFile } = await makeCertificates(t)
  const config = `tls { cert_file: ${JSON.stringify(certFile)}, key_file: ${JSON.stringify(keyFile)} }\n`
  const server = await nats.start({ settings: { config } })
  t.after(() => server.stop())
  const bus = await openBus(t, { url: server.url, tls: { ca } })
  await bus.open(TOPIC)
  await assert.rejects(openBus(t, { url: server.url, connectTimeoutMs: 500 }), /TLS does not match/)
})

test('TLS asked of a server that has none is a mismatch as well', { skip }, async (t) => {
  const server = await nats.start()
  t.after(() => server.stop())
  const url = server.url.replace('nats:', 'tls:')
  await assert.rejects(openBus(t, { url, connectTimeoutMs: 500 }), /TLS does not match/)
})

test('a URL of something else is a bad argument', async (t) => {
  await assert.rejects(openBus(t, { url: 'amqp://127.0.0.1' }), { code: 'bad-argument' })
})
