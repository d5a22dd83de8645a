import assert from 'node:assert/strict'
import { test } from 'node:test'
import Type from 'typebox'
import { channelsInMemory } from '../../test/channels-in-memory.ts'
import { until } from '../../test/until.ts'
import { SimulatedDisk } from '../../testing/index.ts'
import type { Message, Receipt, Writer } from '../bus/index.ts'
import { WriteError } from '../bus/index.ts'
import { systemClock } from '../core/system/index.ts'
import { quotas } from './admission/quotas.ts'
import { event } from './event.ts'
import { TopicPublisher } from './publish/topic-publisher.ts'
import { telemetry } from './telemetry.ts'

const Position = telemetry('swarm.telemetry.{region}.{agentId}', {
  schema: Type.Object({ latitude: Type.Number() }),
  key: 'agentId',
})
const drone = { id: 'drone-7', type: 'quadrotor', region: 'north', epoch: 1 }

test('publish() fills the subject from the identity, and all callers of a batch share one promise', async (t) => {
  const { bus, channels } = await channelsInMemory(t)
  await channels.open([Position])
  const agent = channels.as(drone)
  await agent.publish(Position, { latitude: 0 })
  const first = agent.publish(Position, { latitude: 1 })
  const second = agent.publish(Position, { latitude: 2 })
  assert.equal(first, second)
  const receipt = await first
  assert.equal(receipt.topic, 'swarm.telemetry')
  assert.equal(receipt.accepted, 2)
  assert.equal(receipt.durability, 'none')
  const reader = bus.reader('swarm.telemetry', { mode: 'broadcast', from: 'earliest' })
  const batch = await reader.read({ waitMs: 1_000 })
  const [delivery] = batch!.deliveries
  assert.equal(delivery!.subject, 'swarm.telemetry.north.drone-7')
  assert.equal(delivery!.key, 'drone-7')
  assert.deepEqual({ ...delivery!.headers }, { skeinschema: Position.value.schemaId })
})

test('publish() refuses a bad value before the bus, naming the path', async (t) => {
  const { bus, channels } = await channelsInMemory(t)
  const agent = channels.as(drone)
  await assert.rejects(agent.publish(Position, { latitude: 'x' as never }), {
    code: 'schema-mismatch',
    message: /\/latitude must be number/,
  })
  await assert.rejects(agent.publish(Position, { latitude: 1, region: 'south' } as never), { code: 'bad-argument' })
  await assert.rejects(channels.publish(Position, { latitude: 1 }), { code: 'bad-subject' })
  const { partitions } = await bus.admin.describeTopic('swarm.telemetry')
  assert.deepEqual(partitions[0]!.start, partitions[0]!.end)
})

test('publish() keeps the order of its calls while the topic is still being opened', async (t) => {
  const { channels } = await channelsInMemory(t)
  const agent = channels.as(drone)
  const calls = Array.from({ length: 100 }, (_, latitude) => agent.publish(Position, { latitude }))
  await Promise.all(calls)
  await Promise.all(Array.from({ length: 100 }, (_, index) => agent.publish(Position, { latitude: 100 + index })))
  const seen: number[] = []
  const consumption = await channels.consume(Position, { from: 'earliest' })
  for await (const batch of consumption) {
    for (const message of batch) seen.push(message.value.latitude)
    if (seen.length === 200) break
  }
  assert.deepEqual(
    seen,
    Array.from({ length: 200 }, (_, index) => index),
  )
})

test('append() wraps an event in CloudEvents attributes and stores a repeated id once', async (t) => {
  const { bus, channels } = await channelsInMemory(t)
  const Sighting = event('swarm.events.sighting', { schema: Type.Object({ targetId: Type.String() }), key: 'targetId' })
  const agent = channels.as(drone)
  const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
  await agent.append(Sighting, { targetId: 'whale' }, { id: 'one', traceparent })
  const again = await agent.append(Sighting, { targetId: 'whale' }, { id: 'one' })
  assert.deepEqual(again.duplicates, [0])
  await agent.append(Sighting, { targetId: 'seal' })
  const batch = await bus.reader('swarm.events.sighting', { mode: 'broadcast', from: 'earliest' }).read()
  const [whale, seal] = batch!.deliveries
  assert.equal(whale!.id, 'one')
  assert.match(seal!.id!, /^[0-9a-f-]{36}$/)
  const { specversion, type, source, datacontenttype, dataschema, traceparent: trace } = whale!.headers
  assert.deepEqual(
    { specversion, type, source, datacontenttype, dataschema, trace },
    {
      specversion: '1.0',
      type: 'swarm.events.sighting',
      source: 'drone-7',
      datacontenttype: 'application/json',
      dataschema: `urn:skein:schema:${Sighting.value.schemaId}`,
      trace: traceparent,
    },
  )
})

test('safe is refused where the disk is memory, and lowered only when whoever connects says so', async (t) => {
  const Sighting = event('swarm.events.sighting', { schema: Type.String() })
  const strict = await channelsInMemory(t, { safe: undefined })
  await assert.rejects(strict.channels.append(Sighting, 'x'), { code: 'unsupported' })
  const lowered = await channelsInMemory(t, { safe: 'none' })
  assert.equal((await lowered.channels.append(Sighting, 'x')).durability, 'none')
  const durable = await channelsInMemory(t, { safe: undefined, disk: new SimulatedDisk() })
  assert.equal((await durable.channels.append(Sighting, 'x')).durability, 'durable')
})

test('a full disk rejects exactly the callers of that batch, and later ones go on', async (t) => {
  const disk = new SimulatedDisk()
  const { channels } = await channelsInMemory(t, { disk, safe: undefined })
  const Sighting = event('swarm.events.sighting', { schema: Type.String() })
  await channels.append(Sighting, 'before')
  disk.fail({ call: 'writev', nth: 1, errno: 'ENOSPC' })
  await assert.rejects(channels.append(Sighting, 'lost'), (error: WriteError) => {
    assert.equal(error.code, 'write-failed')
    assert.deepEqual([error.accepted, error.unknown], [[], []])
    return true
  })
  await channels.append(Sighting, 'after')
})

test('quotas delay a publish, keep the order behind it, then refuse', async (t) => {
  const admission = quotas({
    clock: systemClock,
    agents: { each: { messagesPerSecond: 100, burstSeconds: 0.02 } },
    delayMsMax: 50,
  })
  const { channels } = await channelsInMemory(t, { admission })
  await channels.open([Position])
  const agent = channels.as(drone)
  const calls = Array.from({ length: 20 }, (_, latitude) => agent.publish(Position, { latitude }))
  const results = await Promise.allSettled(calls)
  assert.equal(results[0]!.status, 'fulfilled')
  const seen: number[] = []
  const stored = results.filter(({ status }) => status === 'fulfilled').length
  for await (const batch of await channels.consume(Position, { from: 'earliest' })) {
    for (const message of batch) seen.push(message.value.latitude)
    if (seen.length === stored) break
  }
  assert.deepEqual(
    seen,
    seen.toSorted((left, right) => left - right),
  )
})

test('a conflating channel keeps the newest value of a key and never reports a replaced one as stored', async (t) => {
  const { channels } = await channelsInMemory(t)
  const Heading = telemetry('swarm.heading.{agentId}', {
    schema: Type.Object({ heading: Type.Number() }),
    conflate: true,
  })
  await channels.open([Heading])
  const one = channels.as(drone)
  const other = channels.as({ ...drone, id: 'drone-8' })
  const replaced = one.publish(Heading, { heading: 1 })
  const kept = one.publish(Heading, { heading: 2 })
  const beside = other.publish(Heading, { heading: 3 })
  const receipt = await replaced
  assert.deepEqual(
    { accepted: receipt.accepted, conflated: receipt.conflated, positions: receipt.positions },
    { accepted: 0, conflated: [0], positions: [] },
  )
  assert.equal((await kept).accepted, 2)
  await beside
  const seen: number[] = []
  for await (const batch of await channels.consume(Heading, { from: 'earliest' })) {
    for (const message of batch) seen.push(message.value.heading)
    if (seen.length >= 2) break
  }
  assert.deepEqual(seen, [2, 3])
})

test('a conflating channel refuses more keys than it may keep', async (t) => {
  const { channels } = await channelsInMemory(t)
  const schema = Type.Object({ cell: Type.Integer() })
  const Cell = telemetry('swarm.cells', { schema, key: 'cell', conflate: true })
  await channels.open([Cell])
  const calls = Array.from({ length: 10_001 }, (_, cell) => channels.publish(Cell, { cell }))
  const refused = (await Promise.allSettled(calls)).filter(({ status }) => status === 'rejected')
  assert.equal(refused.length, 1)
  assert.equal((refused[0] as PromiseRejectedResult).reason.code, 'overloaded')
})

test('publishes that wait for their topic to be opened are bounded', async (t) => {
  const { channels } = await channelsInMemory(t)
  const agent = channels.as(drone)
  const calls = Array.from({ length: 10_500 }, (_, latitude) => agent.publish(Position, { latitude }))
  const refused = (await Promise.allSettled(calls)).filter(({ status }) => status === 'rejected')
  assert.equal(refused.length, 500)
  assert.equal((refused[0] as PromiseRejectedResult).reason.code, 'overloaded')
})

/** A writer whose writes settle when the test says so. */
class HeldWriter implements Writer {
  readonly writes: Array<{
    readonly batch: readonly Message[]
    readonly resolve: (receipt: Receipt) => void
    readonly reject: (error: unknown) => void
  }> = []
  full = false
  #onDrained = Promise.withResolvers<void>()

  write(batch: readonly Message[]): Promise<Receipt> {
    const { promise, resolve, reject } = Promise.withResolvers<Receipt>()
    this.writes.push({ batch, resolve, reject })
    return promise
  }

  empty(): void {
    this.full = false
    this.#onDrained.resolve()
    this.#onDrained = Promise.withResolvers<void>()
  }

  drained(): Promise<void> {
    return this.#onDrained.promise
  }

  async drain(): Promise<void> {}
  async close(): Promise<void> {}
}

const RECEIPT: Receipt = {
  positions: [],
  accepted: 1,
  duplicates: [],
  conflated: [],
  durability: 'none',
  asserted: false,
}

function message(value: string): Message {
  return { subject: 't', value }
}

test('TopicPublisher rejects what is queued behind an unknown result, and takes new messages after it', async () => {
  const writer = new HeldWriter()
  const publisher = new TopicPublisher({ topic: 't', writer, clock: systemClock })
  const first = publisher.add(message('1'), 1)
  await until(() => writer.writes.length === 1)
  const second = publisher.add(message('2'), 1)
  writer.writes[0]!.reject(new WriteError('lost', { accepted: [], unknown: [0] }))
  await assert.rejects(first, { code: 'write-failed', message: 'lost' })
  await assert.rejects(second, { code: 'write-failed', message: /queued behind/ })
  const third = publisher.add(message('3'), 1)
  await until(() => writer.writes.length === 2)
  assert.deepEqual(writer.writes[1]!.batch, [message('3')])
  writer.writes[1]!.resolve(RECEIPT)
  assert.equal((await third).topic, 't')
})

test('TopicPublisher waits while the writer is full, and refuses beyond its bound', async () => {
  const writer = new HeldWriter()
  const publisher = new TopicPublisher({ topic: 't', writer, clock: systemClock, pendingBytesMax: 1_000 })
  writer.full = true
  const waiting = publisher.add(message('1'), 900)
  const last = publisher.add(message('2'), 100)
  await assert.rejects(publisher.add(message('3'), 1), { code: 'overloaded', retryable: true })
  let isReady = false
  const ready = publisher.ready().then(() => {
    isReady = true
  })
  await until(() => !isReady)
  assert.equal(writer.writes.length, 0)
  writer.empty()
  await until(() => writer.writes.length === 1)
  writer.writes[0]!.resolve(RECEIPT)
  assert.equal(await waiting, await last)
  await ready
})

test('TopicPublisher.close() rejects what waits, and drain() finishes it', async () => {
  const writer = new HeldWriter()
  const closing = new TopicPublisher({ topic: 't', writer, clock: systemClock })
  writer.full = true
  const waiting = closing.add(message('1'), 1)
  await closing.close()
  await assert.rejects(waiting, { code: 'closed' })
  await assert.rejects(closing.add(message('2'), 1), { code: 'closed' })
  const other = new HeldWriter()
  const draining = new TopicPublisher({ topic: 't', writer: other, clock: systemClock })
  const accepted = draining.add(message('1'), 1)
  const drained = draining.drain()
  await until(() => other.writes.length === 1)
  other.writes[0]!.resolve(RECEIPT)
  await Promise.all([accepted, drained])
})
