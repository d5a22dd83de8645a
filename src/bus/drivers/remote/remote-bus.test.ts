import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { systemClock, systemDisk, systemRandom } from '../../../core/system/index.ts'
import { websocketGateway } from '../../../gateway/websocket/index.ts'
import type { Delivery, Message, Reader } from '../../index.ts'
import { openEmbeddedBus } from '../embedded/index.ts'
import { connectRemoteBus } from './index.ts'

const clock = systemClock
const random = systemRandom

interface Served {
  readonly url: string
  readonly port: number
  /** Cuts every connection, as a broken network does. */
  cut(): void
  stop(): Promise<void>
}

/** A node over a directory: an embedded bus and its WebSocket endpoint. */
async function serve(directory: string, port = 0): Promise<Served> {
  const bus = await openEmbeddedBus({ disk: systemDisk(), clock, random, directory })
  const gateway = websocketGateway({ bus, clock, random })
  const sockets = new Set<Socket>()
  const server = createServer()
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
  })
  server.on('upgrade', (request, socket, head) => gateway.handleUpgrade(request, socket, head))
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  const address = server.address() as AddressInfo
  return {
    url: `skein://127.0.0.1:${address.port}`,
    port: address.port,
    cut: () => {
      for (const socket of sockets) socket.destroy()
    },
    stop: async () => {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
      await gateway.close()
      await bus.close()
    },
  }
}

async function node(context: TestContext) {
  const directory = await mkdtemp(join(tmpdir(), 'skein-remote-'))
  let served = await serve(directory)
  const { url, port } = served
  context.after(async () => {
    await served.stop()
    await rm(directory, { recursive: true, force: true })
  })
  return {
    url,
    cut: () => served.cut(),
    stop: () => served.stop(),
    restart: async () => {
      await served.stop()
      served = await serve(directory, port)
    },
  }
}

async function connect(context: TestContext, url: string) {
  const bus = await connectRemoteBus({ url, clock, random })
  context.after(() => bus.close())
  return bus
}

function messages(from: number, count: number): Message[] {
  return Array.from({ length: count }, (_, index) => ({
    subject: 'swarm.telemetry.north.a',
    key: `drone-${(from + index) % 7}`,
    value: String(from + index),
  }))
}

async function readAll(reader: Reader, count: number): Promise<Delivery[]> {
  const all: Delivery[] = []
  while (all.length < count) {
    const batch = await reader.read({ waitMs: 10_000 })
    assert.ok(batch !== null, `only ${all.length} of ${count} came`)
    all.push(...batch.deliveries)
  }
  return all
}

function assertInOrderPerKey(deliveries: readonly Delivery[]): void {
  const last = new Map<string, number>()
  for (const delivery of deliveries) {
    const value = Number(delivery.text())
    assert.ok(value > (last.get(delivery.key!) ?? -1), `${delivery.key}: ${value} after ${last.get(delivery.key!)}`)
    last.set(delivery.key!, value)
  }
}

const TELEMETRY = { name: 'swarm.telemetry', intent: 'telemetry', partitions: 3, durability: 'durable' } as const

test('What is written through a node is read through it, decoded here', async (context) => {
  const { url } = await node(context)
  const bus = await connect(context, url)
  const capabilities = await bus.open(TELEMETRY)
  assert.equal(capabilities.driver, 'remote')
  assert.equal(capabilities.durability, 'durable')
  const reader = bus.reader('swarm.telemetry', { mode: 'group', group: 'g' })
  const receipt = await bus.writer('swarm.telemetry').write(messages(0, 5_000))
  assert.equal(receipt.accepted, 5_000)
  assert.equal(receipt.durability, 'durable')
  assert.ok(receipt.positions.length > 1)
  const all = await readAll(reader, 5_000)
  assertInOrderPerKey(all)
  assert.equal(new Set(all.map((delivery) => delivery.text())).size, 5_000)
})

test('Large batches of several clients at once are stored byte for byte as they were sent', async (context) => {
  const { url } = await node(context)
  const clients = await Promise.all([1, 2, 3, 4].map(() => connect(context, url)))
  await clients[0]!.open({ name: 'swarm.pictures', intent: 'event', partitions: 2, durability: 'durable' })
  // Far more than one frame holds; and no two values are alike, so that bytes of another batch cannot pass for these.
  const pictureOf = (name: string) => `${name} `.repeat(Math.ceil(6_000 / name.length))
  const receipts = clients.flatMap((bus, client) => {
    const writer = bus.writer('swarm.pictures')
    return Array.from({ length: 24 }, (_, batch) => {
      const names = Array.from({ length: 8 }, (_, index) => `${client}-${batch}-${index}`)
      return writer.write(
        names.map((name) => ({ subject: 'swarm.pictures.raw', key: name, value: pictureOf(name), headers: { name } })),
      )
    })
  })
  for (const { accepted } of await Promise.all(receipts)) assert.equal(accepted, 8)
  const reader = clients[0]!.reader('swarm.pictures', { mode: 'broadcast', from: 'earliest' })
  const all = await readAll(reader, 4 * 24 * 8)
  const names = new Set(all.map((delivery) => delivery.key!))
  assert.equal(names.size, 4 * 24 * 8)
  for (const delivery of all) {
    assert.equal(delivery.headers.name, delivery.key)
    assert.ok(delivery.text() === pictureOf(delivery.key!), `the value of ${delivery.key} is not the one that was sent`)
  }
})

test('A broken connection in mid-stream loses nothing, repeats nothing and keeps the order', async (context) => {
  const { url, cut } = await node(context)
  const writing = await connect(context, url)
  const reading = await connect(context, url)
  await writing.open(TELEMETRY)
  const writer = writing.writer('swarm.telemetry')
  const reader = reading.reader('swarm.telemetry', { mode: 'broadcast', from: 'earliest' })
  const receipts: Promise<unknown>[] = []
  const batches = 60
  const write = async () => {
    for (let index = 0; index < batches; index += 1) {
      await writer.drained()
      receipts.push(writer.write(messages(index * 500, 500)))
      if (index % 20 === 10) cut()
      if (index % 7 === 0) await receipts.at(-1)
    }
    await Promise.all(receipts)
  }
  const [, all] = await Promise.all([write(), readAll(reader, batches * 500)])
  assertInOrderPerKey(all)
  assert.equal(new Set(all.map((delivery) => delivery.text())).size, batches * 500)
  const ends = await reader.end()
  assert.equal(
    ends.reduce((sum, end) => sum + end.sequence, 0),
    batches * 500,
    'the log has each message once',
  )
})

test('A node that restarts is found again, and a group goes on where it had acknowledged', async (context) => {
  const { url, restart } = await node(context)
  const bus = await connect(context, url)
  await bus.open(TELEMETRY)
  const writer = bus.writer('swarm.telemetry')
  await writer.write(messages(0, 1_000))
  const reader = bus.reader('swarm.telemetry', { mode: 'group', group: 'g' })
  const first = new Set<string>()
  while (first.size < 1_000) {
    const batch = (await reader.read({ waitMs: 5_000 }))!
    for (const delivery of batch.deliveries) first.add(delivery.text())
    await reader.acknowledge(batch.last, batch.generation)
  }
  const held = writer.write(messages(1_000, 10)).then(() => reader.read({ waitMs: 5_000 }))
  const batch = (await held)!
  await restart()
  await assert.rejects(reader.acknowledge(batch.last, batch.generation), { code: 'revoked' })
  const again = await readAll(reader, 10)
  assert.deepEqual(
    new Set(again.map((delivery) => delivery.text())),
    new Set(messages(1_000, 10).map(({ value }) => value)),
  )
  assert.ok((await writer.write(messages(1_010, 10))).accepted === 10)
})

test('Requests are answered both ways through a node', async (context) => {
  const { url } = await node(context)
  const asking = await connect(context, url)
  const answering = await connect(context, url)
  const stop = await answering.requests.answer('swarm.where', async (request) => ({
    value: `${request.value} is here`,
    headers: { connection: request.headers?.skeinconnection ?? 'none' },
  }))
  const reply = await asking.requests.ask(
    { subject: 'swarm.where', value: 'drone-7', headers: { skeinconnection: 'forged' } },
    { timeoutMs: 5_000 },
  )
  assert.equal(reply.value, 'drone-7 is here')
  assert.equal(reply.headers?.connection, asking.status.connectionId)
  await stop()
  await assert.rejects(asking.requests.ask({ subject: 'swarm.where', value: '' }, { timeoutMs: 5_000 }), {
    code: 'no-responder',
  })
})

test('A node that is not there is connection-lost naming its address, after the time allowed', async () => {
  await assert.rejects(connectRemoteBus({ url: 'skein://127.0.0.1:1', clock, random, connectTimeoutMs: 200 }), {
    code: 'connection-lost',
    retryable: true,
    message: /127\.0\.0\.1:1/,
  })
})

test('close() rejects a read that waits, and a write whose fate is not known says so', async (context) => {
  const { url, stop } = await node(context)
  const bus = await connect(context, url)
  await bus.open(TELEMETRY)
  const writer = bus.writer('swarm.telemetry')
  await writer.write(messages(0, 1))
  const reader = bus.reader('swarm.telemetry', { mode: 'broadcast', from: 'latest' })
  const read = assert.rejects(reader.read(), { code: 'closed' })
  await stop()
  const write = assert.rejects(writer.write(messages(1, 10)), { code: 'write-failed' })
  await bus.close()
  await Promise.all([read, write])
  assert.equal(bus.status.state, 'closed')
})
