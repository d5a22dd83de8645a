import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type TestContext, test } from 'node:test'
import { TcpProxy } from '../../../../test/services/tcp-proxy.ts'
import { until } from '../../../../test/until.ts'
import { delegate } from '../../../../testing/bus/delegate.ts'
import { memoryDisk } from '../../../core/index.ts'
import { systemClock, systemRandom } from '../../../core/system/index.ts'
import { websocketGateway } from '../../../gateway/websocket/index.ts'
import type { Bus, Delivery, Reader, Writer } from '../../index.ts'
import { type EmbeddedBus, openEmbeddedBus } from '../embedded/index.ts'
import { connectRemoteBus } from './index.ts'

const clock = systemClock
const random = systemRandom

async function serve(context: TestContext, wrap: (bus: EmbeddedBus) => EmbeddedBus = (bus) => bus) {
  const bus = await openEmbeddedBus({ disk: memoryDisk(), clock, random, directory: 'data' })
  const gateway = websocketGateway({ bus: wrap(bus), clock, random })
  const server = createServer()
  server.on('upgrade', (request, socket, head) => gateway.handleUpgrade(request, socket, head))
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo
  context.after(async () => {
    await gateway.close()
    await bus.close()
    server.close()
  })
  return { bus, port }
}

async function connect(context: TestContext, port: number) {
  const bus = await connectRemoteBus({ url: `skein://127.0.0.1:${port}`, clock, random })
  context.after(() => bus.close())
  return bus
}

async function textsOf(reader: Reader, count: number): Promise<string[]> {
  const all: Delivery[] = []
  while (all.length < count) all.push(...(await reader.read({ waitMs: 10_000 }))!.deliveries)
  return all.map((delivery) => delivery.text())
}

/** The time to live, and what a message may be on its way. */
const EXPIRED_AFTER_MS = 400 + 1_500

test('What expires while it waits in the buffer of a client is not given: by its own time to live, else by the topic’s', async (context) => {
  const { port } = await serve(context)
  const bus = await connect(context, port)
  for (const [name, topicTtlMs] of [
    ['swarm.lasting', undefined],
    ['swarm.fleeting', 400],
  ] as const) {
    const ttl = topicTtlMs === undefined ? {} : { ttlMs: topicTtlMs }
    await bus.open({ name, intent: 'event', partitions: 1, durability: 'none', ...ttl })
    const reader = bus.reader(name, { mode: 'broadcast', from: 'earliest' })
    const { appendedAtMs } = await writtenTogether(bus.writer(name), name, reader)
    await until(() => clock.nowMs() > appendedAtMs + EXPIRED_AFTER_MS)
    await bus.writer(name).write([{ subject: name, key: 'k', value: 'later' }])
    const left = topicTtlMs === undefined ? ['by the topic', 'for long', 'later'] : ['for long', 'later']
    assert.deepEqual(await textsOf(reader, left.length), left, name)
  }
})

/** Four messages in one batch, of which the first is read: the others wait in the client's buffer. */
async function writtenTogether(writer: Writer, subject: string, reader: Reader): Promise<Delivery> {
  const message = (value: string, ttlMs?: number) => ({
    subject,
    key: 'k',
    value,
    ...(ttlMs !== undefined && { ttlMs }),
  })
  await writer.write([message('first'), message('briefly', 400), message('by the topic'), message('for long', 60_000)])
  const batch = await reader.read({ maxMessages: 1, waitMs: 10_000 })
  assert.deepEqual(
    batch?.deliveries.map((delivery) => delivery.text()),
    ['first'],
  )
  return batch!.deliveries[0]!
}

test('What expires in the buffer of a client is done for its group, and its time to live is the topic’s, whoever opened it', async (context) => {
  const { bus: node, port } = await serve(context)
  const bus = await connect(context, port)
  const name = 'swarm.short'
  await node.open({ name, intent: 'event', partitions: 1, durability: 'none', ttlMs: 400 })
  const reader = bus.reader(name, { mode: 'group', group: 'g' })
  const message = (value: string, ttlMs?: number) => ({ subject: name, key: 'k', value, ...(ttlMs && { ttlMs }) })
  const values = ['first', 'expires', 'lasts', 'expires too', 'and this']
  await node
    .writer(name)
    .write(values.map((value) => message(value, value === 'lasts' || value === 'first' ? 60_000 : undefined)))
  const first = await reader.read({ maxMessages: 1, waitMs: 10_000 })
  const { appendedAtMs } = first!.deliveries[0]!
  await until(() => clock.nowMs() > appendedAtMs + EXPIRED_AFTER_MS)
  // The first is still in hand: what came behind it is given all the same, and later ones of its key go on.
  const second = await reader.read({ waitMs: 10_000 })
  assert.deepEqual(
    second!.deliveries.map((delivery) => delivery.text()),
    ['lasts'],
  )
  await node.writer(name).write([message('later', 60_000)])
  assert.deepEqual(await textsOf(reader, 1), ['later'])
  await reader.acknowledge(second!.last, second!.generation)
  const lag = async () => (await reader.lag())[0]!.messages
  await until(async () => (await lag()) === 1)
  await reader.acknowledge({ ...second!.last, sequence: 5 }, second!.generation)
  await until(async () => (await lag()) === 0)
  // With nothing in hand a second member need not wait for what nobody can settle.
  const other = bus.reader(name, { mode: 'group', group: 'g', revocationWaitMs: 60_000 })
  await reader.drain()
  await node.writer(name).write([message('last', 60_000)])
  assert.deepEqual(await textsOf(other, 1), ['last'])
})

const TOPIC = 'swarm.telemetry'
const PARTITIONS = 4

test('A delivery that its revocation has overtaken is not given', async (context) => {
  const { bus: node, port } = await serve(context)
  const proxy = await TcpProxy.listen()
  context.after(() => proxy.close())
  proxy.pointTo({ host: '127.0.0.1', port })
  const slow = await connect(context, proxy.port)
  const near = await connect(context, port)
  for (const bus of [slow, near])
    await bus.open({ name: TOPIC, intent: 'telemetry', partitions: PARTITIONS, durability: 'none' })
  const options = { mode: 'group', group: 'g', bufferBytesMax: 16 * 1024 * 1024, revocationWaitMs: 200 } as const
  const first = slow.reader(TOPIC, options)
  const taken = new Set<number>()
  first.onAssignment(({ added, removed }) => {
    for (const partition of added) taken.delete(partition)
    for (const partition of removed) taken.add(partition)
  })
  // Bulk lies in the node's queue for the slow connection when news of the second reader comes.
  await write(node, 0)
  await first.read({ waitMs: 10_000 })
  proxy.set({ bytesPerSecond: 8 * 1024 * 1024 })
  for (let round = 1; round <= ROUNDS; round += 1) await write(node, round)
  await first.read({ waitMs: 10_000 })
  const second = near.reader(TOPIC, options)
  const secondRead = second.read({ waitMs: 30_000 })
  secondRead.catch(() => {})
  await until(() => taken.size > 0)
  const removed = [...taken]
  proxy.set({})
  // What was on its way comes before what is written now.
  await write(node, ROUNDS + 1)
  const kept = new Set<number>()
  while (kept.size < PARTITIONS - removed.length) {
    const batch = await first.read({ waitMs: 10_000 })
    assert.ok(batch !== null)
    assert.ok(!taken.has(batch.partition), `partition ${batch.partition} was given after it had been taken away`)
    if (batch.deliveries.some((delivery) => delivery.text().startsWith(`${ROUNDS + 1} `))) kept.add(batch.partition)
  }
  assert.ok(removed.includes((await secondRead)!.partition))
})

const ROUNDS = 12
const PADDING = 'x'.repeat(8_000)

/** A round of 512 KiB, over all partitions. */
async function write(bus: Bus, round: number): Promise<void> {
  await bus.writer(TOPIC).write(
    Array.from({ length: 64 }, (_, index) => ({
      subject: TOPIC,
      key: `drone-${index}`,
      value: `${round} ${PADDING}`,
    })),
  )
}

/** Stored batches are read whole: so much may go over, before and behind a seek. */
const OVER_BYTES = 2 * 256 * 1024

/** The same bus, and how many messages its raw readers have given since they were last sought. */
function counted(bus: EmbeddedBus) {
  const given = { messages: 0 }
  const wrapped = delegate(bus, {
    rawReader(topic, options) {
      const reader = bus.rawReader(topic, options)
      return delegate(reader, {
        async readRaw(limits) {
          const batch = await reader.readRaw(limits)
          given.messages += batch?.count ?? 0
          return batch
        },
        seek(to) {
          given.messages = 0
          return reader.seek(to)
        },
      })
    },
  })
  return { wrapped, given }
}

for (const mode of ['broadcast', 'group'] as const) {
  test(`A node never has more on its way to a ${mode} reader than this has room for, however it reads`, async (context) => {
    let given = { messages: 0 }
    const { bus: node, port } = await serve(context, (bus) => {
      const counting = counted(bus)
      given = counting.given
      return counting.wrapped
    })
    await node.open({ name: TOPIC, intent: 'telemetry', partitions: 1, durability: 'none' })
    for (let round = 0; round < ROUNDS; round += 1) await write(node, round)
    const bus = await connect(context, port)
    const bufferBytesMax = 256 * 1024
    const options = { bufferBytesMax, from: 'earliest' } as const
    const reader = bus.reader(TOPIC, mode === 'group' ? { ...options, mode, group: 'g' } : { ...options, mode })
    let taken = 0
    const all = ROUNDS * 64
    const readUpTo = async (count: number, maxMessages: number) => {
      while (taken < count) {
        const batch = await reader.read({ maxMessages, waitMs: 10_000 })
        taken += batch!.deliveries.length
        await reader.acknowledge(batch!.last)
        // A question behind what was told of the room: when it is answered, the node has heard both.
        await reader.end()
        const ahead = (given.messages - taken) * PADDING.length
        assert.ok(ahead <= bufferBytesMax + OVER_BYTES, `${ahead} bytes are on their way when ${taken} were taken`)
      }
    }
    await readUpTo(all / 4, 1)
    await readUpTo(all / 2, 50)
    await reader.seek('earliest')
    taken = 0
    await readUpTo(all, 7)
    assert.equal(taken, all)
  })
}

for (const mode of ['broadcast', 'group'] as const) {
  test(`What a node takes from its log for a ${mode} reader while this seeks is not lost between the two places`, async (context) => {
    let held: Promise<void> | undefined
    const { bus: node, port } = await serve(context, (bus) =>
      delegate(bus, {
        rawReader(topic, options) {
          const reader = bus.rawReader(topic, options)
          return delegate(reader, {
            async readRaw(limits) {
              if (held === undefined) return reader.readRaw(limits)
              // As a read that is past the last look at its signal: what it gives comes from the new place.
              await held
              const { signal: _, ...unaborted } = limits ?? {}
              return reader.readRaw(unaborted)
            },
          })
        },
      }),
    )
    await node.open({ name: TOPIC, intent: 'telemetry', partitions: PARTITIONS, durability: 'none' })
    await write(node, 0)
    const bus = await connect(context, port)
    const from = 'earliest'
    const reader = bus.reader(TOPIC, mode === 'group' ? { mode, group: 'g', from } : { mode, from })
    await reader.read({ waitMs: 10_000 })
    const gate = Promise.withResolvers<void>()
    held = gate.promise
    await write(node, 1)
    // The read that was under way gives these, and the one behind it is held.
    await reader.end()
    const sought = reader.seek('earliest')
    await reader.end()
    held = undefined
    gate.resolve()
    await sought
    const seen = new Set<string>()
    while (seen.size < 2 * 64) {
      const batch = await reader.read({ waitMs: 10_000 })
      assert.ok(batch !== null, `only ${seen.size} of 128 came`)
      for (const { position } of batch.deliveries) seen.add(`${position.partition}/${position.sequence}`)
      await reader.acknowledge(batch.last, batch.generation)
    }
  })
}

test('A broadcast reader that sought goes on from there after a broken connection, in every partition', async (context) => {
  const { bus: node, port } = await serve(context)
  const proxy = await TcpProxy.listen()
  context.after(() => proxy.close())
  proxy.pointTo({ host: '127.0.0.1', port })
  const bus = await connect(context, proxy.port)
  const nobody = createServer().listen(0, '127.0.0.1')
  await once(nobody, 'listening')
  const { port: deadPort } = nobody.address() as AddressInfo
  nobody.close()
  for (const [name, to, first] of [
    ['swarm.latest', 'latest', []],
    ['swarm.one', { partition: 0, sequence: 0 }, ['before']],
  ] as const) {
    await node.open({ name, intent: 'event', partitions: 2, durability: 'none' })
    const put = (value: string) =>
      node.writer(name).write(Array.from({ length: 8 }, (_, key) => ({ subject: name, key: `k${key}`, value })))
    await put('before')
    const inFirst = (await node.admin.describeTopic(name)).partitions[0]!.end.sequence
    const reader = bus.reader(name, { mode: 'broadcast', from: 'latest' })
    await reader.end()
    await reader.seek(to)
    proxy.pointTo({ host: '127.0.0.1', port: deadPort })
    proxy.cut()
    await put('meanwhile')
    proxy.pointTo({ host: '127.0.0.1', port })
    await put('after')
    const wanted = [
      ...first.flatMap((value) => Array.from({ length: inFirst }, () => value)),
      ...Array(8).fill('meanwhile'),
      ...Array(8).fill('after'),
    ]
    assert.deepEqual((await textsOf(reader, wanted.length)).sort(), wanted.sort(), name)
    await reader.close()
  }
})
