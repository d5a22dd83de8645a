/** Topics whose messages are work: quorum queues, one for each group and partition, that forget what is done. */
import assert from 'node:assert/strict'
import { after, type TestContext, test } from 'node:test'
import { connect as connectAmqp } from 'amqplib'
import Type from 'typebox'
import { connectRabbitmqBus, type RabbitmqBus } from '../../../src/bus/drivers/rabbitmq/index.ts'
import type { Delivery, GroupReaderOptions, Message, Reader, TopicSpec } from '../../../src/bus/index.ts'
import { systemClock, systemRandom } from '../../../src/core/system/index.ts'
import { connect, contract, event } from '../../../src/fabric/index.ts'
import { requireService } from '../../services/require-service.ts'
import type { Service } from '../../services/service.ts'
import { until } from '../../until.ts'

const TOPIC = { name: 'plant.jobs', intent: 'event', storage: 'work' } as const
const READ = { waitMs: 30_000 }

const service = await requireService('rabbitmq')
const { skip } = service
let shared: Promise<Service> | undefined
after(async () => (await shared)?.stop())

async function urlOf(): Promise<string> {
  shared ??= service.start()
  return (await shared).url
}

/** A namespace of its own for each test, and as many buses in it as it wants. */
function world(t: TestContext, given?: string): () => Promise<RabbitmqBus> {
  const namespace = `test-${crypto.randomUUID().slice(0, 8)}`
  return async () => {
    const url = given ?? (await urlOf())
    const bus = await connectRabbitmqBus({ url, namespace, clock: systemClock, random: systemRandom })
    t.after(() => bus.close())
    return bus
  }
}

/** A group reader that has its partitions: whatever is written from now on comes to its group. */
async function joined(bus: RabbitmqBus, options: Partial<GroupReaderOptions> & { readonly group: string }) {
  const { promise, resolve } = Promise.withResolvers<void>()
  const reader = bus.reader(TOPIC.name, { mode: 'group', ...options })
  reader.onAssignment(({ added }) => {
    if (added.length > 0) resolve()
  })
  await promise
  return reader
}

const job = (key: string, value: number | string): Message => ({
  subject: `${TOPIC.name}.${key}`,
  key,
  value: String(value),
})

async function takeAll(reader: Reader, count: number): Promise<Delivery[]> {
  const taken: Delivery[] = []
  while (taken.length < count) {
    const batch = await reader.read(READ)
    assert.ok(batch !== null, `only ${taken.length} of ${count} came`)
    taken.push(...batch.deliveries)
    await reader.acknowledge(batch.last, batch.generation)
  }
  return taken
}

const texts = (deliveries: readonly Delivery[]) => deliveries.map((one) => one.text())

async function open(bus: RabbitmqBus, more: Partial<TopicSpec> = {}) {
  return bus.open({ ...TOPIC, ...more })
}

test('each group does all of the work, its readers share it, and each key keeps its order', { skip }, async (t) => {
  const newBus = world(t)
  const bus = await newBus()
  const { durability, order, replayByPosition } = await open(bus, { partitions: 4 })
  assert.deepEqual([durability, order, replayByPosition], ['durable', 'native', 'none'])
  const first = await joined(bus, { group: 'builders' })
  const other = await joined(bus, { group: 'painters' })
  const second = await joined(await newBus(), { group: 'builders' })
  const batch = Array.from({ length: 800 }, (_, index) => job(`key-${index % 16}`, index))
  const receipt = await bus.writer(TOPIC.name).write(batch)
  assert.deepEqual([receipt.accepted, receipt.durability], [800, 'durable'])
  const done: [string, number][] = []
  const shares = [0, 0]
  await Promise.all(
    [first, second].map(async (reader, index) => {
      while (done.length < 800) {
        const given = await reader.read({ waitMs: 200 })
        if (given === null) continue
        for (const one of given.deliveries) done.push([one.key!, Number(one.text())])
        shares[index]! += given.deliveries.length
        await reader.acknowledge(given.last, given.generation)
      }
    }),
  )
  assert.equal(done.length, 800)
  assert.ok(Math.min(...shares) > 0, `the readers did ${shares} jobs`)
  for (const own of Map.groupBy(done, ([key]) => key).values()) {
    const values = own.map(([, value]) => value)
    assert.deepEqual(
      values,
      [...values].sort((one, another) => one - another),
    )
  }
  assert.equal((await takeAll(other, 800)).length, 800)
  await until(async () => (await bus.admin.lag(TOPIC.name)).every(({ messages }) => messages === 0))
})

test('work that nobody is there for is refused, and what is there is kept while nobody reads', { skip }, async (t) => {
  const newBus = world(t)
  const bus = await newBus()
  await open(bus)
  const writer = bus.writer(TOPIC.name)
  await assert.rejects(writer.write([job('a', 0)]), { code: 'not-found' })
  const reader = await joined(bus, { group: 'g' })
  await reader.close()
  await writer.write([job('a', 1), job('a', 2)])
  assert.deepEqual(
    (await bus.admin.lag(TOPIC.name, 'g')).map(({ messages }) => messages),
    [2],
  )
  const later = (await newBus()).reader(TOPIC.name, { mode: 'group', group: 'g' })
  assert.deepEqual(texts(await takeAll(later, 2)), ['1', '2'])
})

test('a job that failed holds back its key alone, and dies after its last attempt; it can be replayed', {
  skip,
}, async (t) => {
  const bus = await world(t)()
  await open(bus)
  const reader = await joined(bus, { group: 'g', retry: { attemptsMax: 3, delayMs: 10 } })
  await bus.writer(TOPIC.name).write([job('good', 0), job('bad', 1), job('bad', 2), job('good', 3)])
  const done: string[] = []
  const attempts: number[] = []
  while (done.length < 3) {
    const batch = await reader.read({ ...READ, maxMessages: 1 })
    assert.ok(batch !== null, `after ${done}`)
    for (const one of batch.deliveries) {
      if (one.text() === '1') {
        attempts.push(one.attempt)
        await reader.settle([one], 'retry', { error: 'no nails' })
      } else done.push(one.text())
    }
    await reader.acknowledge(batch.last, batch.generation)
  }
  assert.deepEqual(attempts, [1, 2, 3])
  assert.deepEqual(done, ['0', '3', '2'])
  assert.equal(await bus.admin.replayDeadLetters(TOPIC.name, { group: 'g' }), 1)
  assert.deepEqual(texts(await takeAll(reader, 1)), ['1'])
})

test('what a reader had in hand when its connection went comes back in order, counted; its position is worth nothing then', {
  skip,
}, async (t) => {
  const newBus = world(t)
  const bus = await newBus()
  await open(bus)
  const lost = await newBus()
  const reader = await joined(lost, { group: 'g' })
  await bus.writer(TOPIC.name).write([job('a', 0), job('a', 1), job('b', 2)])
  assert.deepEqual(texts(await takeAll(reader, 1)), ['0'])
  const batch = await reader.read(READ)
  assert.equal(batch?.deliveries[0]?.text(), '1')
  await lost.close()
  const successor = bus.reader(TOPIC.name, { mode: 'group', group: 'g' })
  const again = await successor.read(READ)
  assert.deepEqual([again?.deliveries[0]?.text(), again?.deliveries[0]?.attempt], ['1', 2])
  await assert.rejects(reader.acknowledge(batch!.last, batch!.generation), { code: 'closed' })
  await successor.acknowledge(again!.last, again!.generation)
  if (again!.deliveries.length === 1) assert.deepEqual(texts(await takeAll(successor, 1)), ['2'])
  else assert.deepEqual(texts(again!.deliveries), ['1', '2'])
})

test('a job that kills whoever reads it dies, and none of those that were fetched with it', { skip }, async (t) => {
  const newBus = world(t)
  const bus = await newBus()
  await open(bus)
  await (await joined(bus, { group: 'g' })).close()
  const jobs = Array.from({ length: 40 }, (_, index) => job(`key-${index}`, index === 20 ? 'deadly' : index))
  await bus.writer(TOPIC.name).write(jobs)
  const done = new Set<string>()
  let deaths = 0
  while (done.size < 39) {
    const process = await newBus()
    const reader = process.reader(TOPIC.name, { mode: 'group', group: 'g', retry: { attemptsMax: 4 } })
    if (await workUntilDeadly(reader, done)) deaths += 1
    // As the broker sees the death of a process.
    await process.close()
  }
  assert.ok(deaths >= 3 && deaths <= 5, `it killed ${deaths}`)
  const last = bus.reader(TOPIC.name, { mode: 'group', group: 'g', retry: { attemptsMax: 4 } })
  const replayed = last.read({ waitMs: 60_000 })
  // Its letter is stored by whoever reads next; it comes back to the group when it is replayed.
  const isReplayed = async () => (await bus.admin.replayDeadLetters(TOPIC.name).catch(() => 0)) === 1
  await until(isReplayed, { everyMs: 100 })
  assert.deepEqual(texts((await replayed)!.deliveries), ['deadly'])
})

/** Whether the deadly job came before everything else was done. */
async function workUntilDeadly(reader: Reader, done: Set<string>): Promise<boolean> {
  while (done.size < 39) {
    const batch = await reader.read(READ)
    assert.ok(batch !== null, `only ${done.size} were done`)
    if (texts(batch.deliveries).includes('deadly')) return true
    for (const one of batch.deliveries) done.add(one.text())
    await reader.acknowledge(batch.last, batch.generation)
  }
  return false
}

test('a group can have a queue of its own subjects, such as one agent; with others it is refused', {
  skip,
}, async (t) => {
  const bus = await world(t)()
  await open(bus, { partitions: 2 })
  const subjects = [`${TOPIC.name}.drone-7`]
  const seven = await joined(bus, { group: 'drone-7', subjects })
  await joined(bus, { group: 'drone-8', subjects: [`${TOPIC.name}.drone-8`] })
  await bus.writer(TOPIC.name).write([job('drone-8', 0), job('drone-7', 1), job('drone-8', 2), job('drone-7', 3)])
  assert.deepEqual(texts(await takeAll(seven, 2)), ['1', '3'])
  await seven.close()
  const wrong = bus.reader(TOPIC.name, { mode: 'group', group: 'drone-7' })
  await assert.rejects(wrong.read(READ), { code: 'bad-argument', message: /its queues take plant\.jobs\.drone-7/ })
  await wrong.close()
  await bus.admin.deleteGroup(TOPIC.name, 'drone-7')
  const anew = await joined(bus, { group: 'drone-7' })
  await bus.writer(TOPIC.name).write([job('drone-9', 4)])
  assert.deepEqual(texts(await takeAll(anew, 1)), ['4'])
})

test('a full queue refuses instead of dropping, and takes again when there is room', { skip }, async (t) => {
  const bus = await world(t)()
  await open(bus, { retention: { bytes: 20_000 } })
  const reader = await joined(bus, { group: 'g' })
  const writer = bus.writer(TOPIC.name)
  const large = (value: number) => ({ ...job('a', value), value: String(value).padEnd(5_000, ' ') })
  let stored = 0
  const refused = async () => {
    while (stored < 100) {
      await writer.write([large(stored)])
      stored += 1
    }
  }
  await assert.rejects(refused(), { code: 'overloaded', retryable: true })
  const taken = texts(await takeAll(reader, stored)).map(Number)
  assert.deepEqual(taken, [...Array(stored).keys()])
  await until(async () => {
    await writer.write([large(stored)])
    return true
  })
})

test('what has no place in a work queue is refused: broadcast, replay, retention by age', { skip }, async (t) => {
  const bus = await world(t)()
  await assert.rejects(open(bus, { retention: { ageMs: 1_000 } }), { code: 'unsupported' })
  await open(bus)
  assert.throws(() => bus.reader(TOPIC.name, { mode: 'broadcast' }), { code: 'unsupported' })
  const reader = await joined(bus, { group: 'g' })
  await assert.rejects(reader.seek('earliest'), { code: 'unsupported' })
  await assert.rejects(reader.end(), { code: 'unsupported' })
  const late = bus.reader(TOPIC.name, { mode: 'group', group: 'late', from: 'latest' })
  await assert.rejects(late.read(READ), { code: 'unsupported' })
})

test('an event channel of work goes to the RabbitMQ of a binding, durable on one server, and is done by a group', {
  skip,
}, async (t) => {
  const Jobs = event('shop.jobs.{machine}', { schema: Type.Object({ number: Type.Number() }), storage: 'work' })
  const Done = event('shop.done', { schema: Type.Object({ number: Type.Number() }) })
  const brokers = { queues: await urlOf(), logs: { url: 'memory:', safe: 'none' } } as const
  const fabric = await connect({ brokers }, { contract: contract({ Jobs, Done }) })
  t.after(() => fabric.close())
  const done: number[] = []
  const machine = await fabric.process(Jobs, { group: 'machines' }, async ({ value }) => {
    await fabric.append(Done, value)
    done.push(value.number)
  })
  // Until the group is there nobody is to do it.
  await until(() => fabric.append(Jobs, { number: 0 }, { fields: { machine: 'saw' } }).then(() => true, isNobodyThere))
  const receipt = await fabric.append(Jobs, { number: 1 }, { fields: { machine: 'saw' } })
  assert.equal(receipt.durability, 'durable')
  assert.equal((await fabric.bus.admin.describeTopic('shop.jobs')).capabilities.driver, 'rabbitmq')
  await until(() => done.length === 2)
  assert.deepEqual(done, [0, 1])
  await machine.stop()
})

function isNobodyThere(error: { readonly code?: string }): false {
  assert.equal(error.code, 'not-found')
  return false
}

test('a deleted topic leaves no queue behind', { skip }, async (t) => {
  const bus = await world(t)()
  await open(bus)
  const own = await connectAmqp(await urlOf())
  t.after(() => own.close())
  await joined(bus, { group: 'g' })
  await bus.admin.deleteTopic(TOPIC.name)
  await open(bus)
  await assert.rejects(bus.writer(TOPIC.name).write([job('a', 0)]), { code: 'not-found' })
})

test('acknowledged work survives the broker, which is killed while it is written and done', { skip }, async (t) => {
  const own = await service.start({ mortal: true })
  t.after(() => own.stop())
  const bus = await world(t, own.url)()
  await open(bus, { partitions: 2 })
  const reader = await joined(bus, { group: 'g' })
  const writer = bus.writer(TOPIC.name)
  const COUNT = 600
  const written = (async () => {
    for (let at = 0; at < COUNT; at += 20) {
      await writer.write(Array.from({ length: 20 }, (_, index) => job(`key-${index % 5}`, at + index)))
    }
  })()
  const effects = new Map<string, number[]>()
  const seen = new Set<number>()
  let kills = 0
  while (seen.size < COUNT) {
    const batch = await reader.read(READ)
    assert.ok(batch !== null, `only ${seen.size} of ${COUNT} came`)
    for (const one of batch.deliveries) {
      const value = Number(one.text())
      if (seen.has(value)) continue
      seen.add(value)
      effects.set(one.key!, [...(effects.get(one.key!) ?? []), value])
    }
    // What was in hand when the broker died comes again: the inbox of the group, here `seen`, knows it.
    await reader.acknowledge(batch.last, batch.generation).catch((error: { code?: string }) => {
      assert.equal(error.code, 'revoked')
    })
    if (kills < 2 && seen.size > (kills + 1) * 150) {
      kills += 1
      await own.nodes[0]!.kill()
      await own.nodes[0]!.start()
    }
  }
  await written
  assert.equal(kills, 2)
  for (const values of effects.values())
    assert.deepEqual(
      values,
      [...values].sort((one, other) => one - other),
    )
})
