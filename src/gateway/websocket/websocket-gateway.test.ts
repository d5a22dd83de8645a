import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type TestContext, test } from 'node:test'
import { WebSocket } from 'ws'
import { otherOrigins } from '../../../test/near-misses.ts'
import { until } from '../../../test/until.ts'
import { openEmbeddedBus } from '../../bus/drivers/embedded/index.ts'
import { connectRemoteBus } from '../../bus/drivers/remote/index.ts'
import { memoryDisk, SkeinError } from '../../core/index.ts'
import { systemClock, systemRandom } from '../../core/system/index.ts'
import {
  encodeFrameHeader,
  FRAME_HEADER_BYTES,
  FRAME_PAYLOAD_BYTES_MAX,
  FrameKind,
  helloToHead,
  Lane,
  SESSION_LIMITS,
} from '../../wire/index.ts'
import type { Authorise } from './access.ts'
import { type WebsocketLimits, websocketGateway } from './index.ts'

const clock = systemClock
const random = systemRandom

async function serve(
  context: TestContext,
  options: { readonly limits?: Partial<WebsocketLimits>; readonly authorise?: Authorise } = {},
) {
  const bus = await openEmbeddedBus({ disk: memoryDisk(), clock, random, directory: 'data' })
  const closed: string[] = []
  const gateway = websocketGateway({ bus, clock, random, onConnectionClosed: (id) => closed.push(id), ...options })
  const server = createServer()
  server.on('upgrade', (request, socket, head) => gateway.handleUpgrade(request, socket, head))
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo
  context.after(async () => {
    await gateway.close()
    await bus.close()
    server.close()
  })
  return { bus, gateway, closed, url: `skein://127.0.0.1:${port}`, address: `ws://127.0.0.1:${port}` }
}

async function connect(context: TestContext, url: string, connectTimeoutMs = 5_000) {
  const bus = await connectRemoteBus({ url, clock, random, connectTimeoutMs })
  context.after(() => bus.close())
  return bus
}

/** The status with which an upgrade is answered. */
function refusal(address: string, headers: Readonly<Record<string, string>> = {}): Promise<number | undefined> {
  const socket = new WebSocket(address, { headers })
  const answered = Promise.withResolvers<number | undefined>()
  socket.on('error', answered.reject)
  socket.on('open', () => socket.terminate())
  socket.on('upgrade', (response) => answered.resolve(response.statusCode))
  socket.on('unexpected-response', (_, response) => {
    response.resume()
    answered.resolve(response.statusCode)
  })
  return answered.promise
}

const TOPIC = { name: 'swarm.telemetry', intent: 'telemetry', durability: 'none' } as const

test('Connections beyond the limit are refused as overloaded, and admitted when one has gone', async (context) => {
  const { url, gateway } = await serve(context, { limits: { connectionsMax: 2 } })
  const first = await connect(context, url)
  await connect(context, url)
  await assert.rejects(connectRemoteBus({ url, clock, random, connectTimeoutMs: 50 }), { code: 'overloaded' })
  await first.close()
  await until(() => gateway.connections < 2)
  await connect(context, url)
})

test('Readers beyond the limit of one client are refused as overloaded', async (context) => {
  const { url } = await serve(context, { limits: { readersMax: 3 } })
  const bus = await connect(context, url)
  await bus.open(TOPIC)
  const readers = [1, 2, 3].map(() => bus.reader('swarm.telemetry', { mode: 'broadcast' }))
  await Promise.all(readers.map((reader) => reader.end()))
  await assert.rejects(bus.reader('swarm.telemetry', { mode: 'broadcast' }).read(), { code: 'overloaded' })
})

test('A frame that is none closes that connection with a protocol error, and no other', async (context) => {
  const { url, address, gateway } = await serve(context)
  const bystander = await connect(context, url)
  const socket = new WebSocket(`${address}/v1/skein`)
  await once(socket, 'open')
  socket.send(Buffer.from([1, 200, 0, 3, 9, 9]))
  const [code, reason] = await once(socket, 'close')
  assert.equal(code, 1002)
  assert.match(String(reason), /Cannot read a frame/)
  assert.deepEqual(await bystander.admin.listTopics(), [])
  await until(() => gateway.connections === 1)
})

test('A client that speaks a newer protocol is told so', async (context) => {
  const { address } = await serve(context)
  const socket = new WebSocket(`${address}/v1/skein`)
  await once(socket, 'open')
  const frame = Buffer.alloc(16)
  frame[0] = 7
  socket.send(frame)
  const [code, reason] = await once(socket, 'close')
  assert.equal(code, 1002)
  assert.match(String(reason), /version 7/)
})

test('A page of another site and a wrong path are refused before anything is said', async (context) => {
  const { address } = await serve(context)
  assert.equal(await refusal(`${address}/v1/skein`, { origin: 'https://example.org' }), 403)
  for (const name of ['127.0.0.1', 'localhost']) {
    const host = `${name}:${new URL(address).port}`
    for (const origin of otherOrigins(`http://${host}`)) {
      assert.equal(await refusal(`${address}/v1/skein`, { host, origin }), 403, origin)
    }
  }
  assert.equal(await refusal(`${address}/elsewhere`), 404)
})

test('A closed socket is told by the name under which its requests came', async (context) => {
  const { url, closed, bus: node } = await serve(context)
  const bus = await connect(context, url)
  const asked: string[] = []
  await node.requests.answer('who', async (request) => {
    asked.push(request.headers?.skeinconnection ?? '')
    return { value: '' }
  })
  await bus.requests.ask({ subject: 'who', value: '' }, { timeoutMs: 5_000 })
  await bus.close()
  await until(() => closed.length === 1)
  assert.deepEqual(closed, asked)
})

test('Every distinct subject of a batch is authorised, and a refused one refuses the batch', async (context) => {
  const seen: string[] = []
  const { url, bus: node } = await serve(context, {
    authorise: (_principal, verb, subject) => {
      if (verb === 'publish') seen.push(subject)
      if (subject.endsWith('forbidden')) throw new SkeinError('unauthorised', `May not ${verb} ${subject}`)
    },
  })
  await node.open(TOPIC)
  const writer = (await connect(context, url)).writer('swarm.telemetry')
  const message = (subject: string) => ({ subject: `swarm.telemetry.${subject}`, value: 'x' })
  await writer.write([message('a'), message('b'), message('a')])
  assert.deepEqual(seen, ['swarm.telemetry.a', 'swarm.telemetry.b'])
  await assert.rejects(writer.write([message('a'), message('forbidden')]), { code: 'unauthorised' })
  const [end] = await node.reader('swarm.telemetry', { mode: 'broadcast' }).end()
  assert.equal(end?.sequence, 3)
})

test('A consumer that stalls holds no more than its buffer, and others go on', async (context) => {
  const { url, bus: node } = await serve(context)
  await node.open(TOPIC)
  const stalled = (await connect(context, url)).reader('swarm.telemetry', {
    mode: 'broadcast',
    from: 'earliest',
    bufferBytesMax: 64 * 1024,
  })
  const lively = (await connect(context, url)).reader('swarm.telemetry', { mode: 'broadcast', from: 'earliest' })
  const writer = node.writer('swarm.telemetry')
  const value = 'x'.repeat(1_000)
  const count = 4_000
  for (let index = 0; index < count; index += 500) {
    await writer.write(Array.from({ length: 500 }, () => ({ subject: 'swarm.telemetry.a', value })))
  }
  let read = 0
  while (read < count) read += (await lively.read())!.deliveries.length
  const first = (await stalled.read())!.deliveries.length
  assert.ok(first < 1_500, `${first} of ${count} were sent to a reader with a buffer of 64 messages`)
  let rest = first
  while (rest < count) rest += (await stalled.read())!.deliveries.length
  assert.equal(rest, count)
})

test('drain() lets what was written be answered, then closes', async (context) => {
  const { url, gateway, bus: node } = await serve(context)
  await node.open(TOPIC)
  const writer = (await connect(context, url)).writer('swarm.telemetry')
  const written = writer.write([{ subject: 'swarm.telemetry.a', value: 'x' }])
  await until(() => gateway.connections === 1)
  await written
  await gateway.drain()
  assert.equal(gateway.connections, 0)
  await gateway.drain()
})

test('A client’s second connection carries its telemetry, is no second client, and ends with the first', async (context) => {
  const { url, gateway, closed } = await serve(context, { limits: { connectionsMax: 1 } })
  const bus = await connect(context, url)
  const { connectionId } = bus.status
  await bus.open(TOPIC)
  const writer = bus.writer(TOPIC.name)
  await writer.write([{ subject: 'swarm.telemetry.one', value: 'over the second' }])
  assert.equal(gateway.connections, 1)
  gateway.disconnect(connectionId!, 'for the test')
  await until(() => closed.length === 2)
  assert.ok(closed.includes(connectionId!))
  const receipt = await writer.write([{ subject: 'swarm.telemetry.two', value: 'over the next' }])
  assert.equal(receipt.accepted, 1)
})

test('The limit of readers counts those that are being opened', async (context) => {
  const { url } = await serve(context, { limits: { readersMax: 3 } })
  const bus = await connect(context, url)
  await bus.open({ name: 'swarm.events', intent: 'event', durability: 'none' })
  const readers = Array.from({ length: 5 }, () => bus.reader('swarm.events', { mode: 'broadcast', from: 'earliest' }))
  const opened = await Promise.allSettled(readers.map((reader) => reader.read({ waitMs: 200 })))
  const refused = opened.filter(({ status }) => status === 'rejected')
  assert.equal(refused.length, 2)
  for (const { reason } of refused as PromiseRejectedResult[]) assert.equal(reason.code, 'overloaded')
})

/** A client that greets, announces one large message, sends enough of it to be believed, and stops there. */
async function beginLargeMessage(address: string): Promise<WebSocket> {
  const socket = new WebSocket(`${address}/v1/skein`)
  await once(socket, 'open')
  const head = Buffer.from(
    JSON.stringify(
      helloToHead({ client: 'slow', instance: undefined, resumeToken: undefined, windowBytes: 1_000_000 }),
    ),
  )
  socket.send(frameOf(FrameKind.hello, { isFirst: true, isLast: true }, Buffer.concat([lengths(head.length, 0), head])))
  await once(socket, 'message')
  const bodyBytes = SESSION_LIMITS.messageBytesMax - 1_000
  for (let frame = 0; frame < 6; frame += 1) {
    const payload = Buffer.alloc(FRAME_PAYLOAD_BYTES_MAX)
    if (frame === 0) lengths(0, bodyBytes).copy(payload)
    socket.send(frameOf(FrameKind.call, { isFirst: frame === 0, isLast: false }, payload))
  }
  return socket
}

function lengths(headBytes: number, bodyBytes: number): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeUInt32BE(headBytes, 0)
  bytes.writeUInt32BE(bodyBytes, 4)
  return bytes
}

function frameOf(
  kind: FrameKind,
  part: { readonly isFirst: boolean; readonly isLast: boolean },
  payload: Buffer,
): Buffer {
  const frame = Buffer.alloc(FRAME_HEADER_BYTES + payload.length)
  encodeFrameHeader(frame, {
    ...{ kind, ...part, lane: Lane.normal, channel: 1, operation: 0 },
    payloadBytes: payload.length,
  })
  payload.copy(frame, FRAME_HEADER_BYTES)
  return frame
}

test('Messages that begin and do not end hold no more memory than the bound: the oldest gives way', async (context) => {
  const { url, address, gateway } = await serve(context)
  const sockets: WebSocket[] = []
  context.after(() => {
    for (const socket of sockets) socket.terminate()
  })
  const ends: Array<{ readonly index: number; readonly reason: string }> = []
  for (let index = 0; index < 12; index += 1) {
    const socket = await beginLargeMessage(address)
    sockets.push(socket)
    socket.on('close', (_, reason) => ends.push({ index, reason: String(reason) }))
  }
  // Seven of nine MiB are within 64 MiB.
  await until(() => gateway.connections === 7)
  await until(() => ends.length === 5)
  assert.deepEqual(ends.map(({ index }) => index).sort(), [0, 1, 2, 3, 4])
  const bus = await connect(context, url)
  await bus.open(TOPIC)
  const large = 'x'.repeat(700_000)
  const receipt = await bus.writer(TOPIC.name).write([{ subject: 'swarm.telemetry.one', value: large }])
  assert.equal(receipt.accepted, 1)
})
