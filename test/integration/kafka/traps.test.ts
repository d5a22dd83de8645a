/** The ways in which a client of Kafka goes wrong, each shown not to be ours on a real broker. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { addOffsetsToTxnV3, Connection, initProducerIdV4, txnOffsetCommitV3 } from '@platformatic/kafka'
import type { KafkaBus } from '../../../src/bus/drivers/kafka/index.ts'
import type { Message } from '../../../src/bus/index.ts'
import { partitionOfKey, SkeinError } from '../../../src/core/index.ts'
import { javaProduce } from './java-produce.ts'
import { type Broker, busOf, isQuiet, kafka, startBroker, take, texts } from './kafka-broker.ts'

let broker: Broker
let names = 0

async function openTopic(bus: KafkaBus, spec: { readonly partitions?: number } = {}): Promise<string> {
  names += 1
  const name = `traps.t${names}`
  await bus.open({ name, intent: 'telemetry', ...spec })
  return name
}

function numbered(topic: string, from: number, to: number): Message[] {
  return Array.from({ length: to - from }, (_, index) => ({ subject: topic, key: 'k', value: String(from + index) }))
}

async function inTransaction(bus: KafkaBus, id: string, steps: readonly [topic: string, batch: readonly Message[]]) {
  const transaction = await bus.transaction({ id })
  await transaction.write(...steps)
  return transaction
}

describe('on a real broker', { skip: kafka.skip }, () => {
  before(async () => {
    broker = await startBroker()
  })
  after(() => broker.stop())

  test('none of several aborted transactions of one producer is delivered, and all between them is', async (t) => {
    const bus = await busOf(t, broker)
    const topic = await openTopic(bus)
    const writer = bus.writer(topic)
    const expected: string[] = []
    for (let round = 0; round < 6; round += 1) {
      const value = `${round % 2 === 0 ? 'aborted' : 'committed'} ${round}`
      const transaction = await inTransaction(bus, 'one', [topic, [{ subject: topic, value }]])
      if (round % 2 === 0) await transaction.abort()
      else {
        await transaction.commit()
        expected.push(value)
      }
      await writer.write([{ subject: topic, value: `plain ${round}` }])
      expected.push(`plain ${round}`)
    }
    const reader = bus.reader(topic, { mode: 'broadcast', from: 'earliest' })
    assert.deepEqual(texts(await take(reader, expected.length)), expected)
    assert.ok(await isQuiet(reader))
  })

  test('an aborted transaction is not delivered when its marker comes in a later fetch', async (t) => {
    const bus = await busOf(t, broker)
    const topic = await openTopic(bus)
    const filler = 'x'.repeat(30_000)
    const transaction = await bus.transaction({ id: 'large' })
    for (let part = 0; part < 20; part += 1) {
      await transaction.write(topic, [{ subject: topic, value: `aborted ${part} ${filler}` }])
    }
    await transaction.abort()
    await bus.writer(topic).write([{ subject: topic, value: 'after it' }])
    // A fetch of this reader brings two of the twenty batches.
    const reader = bus.reader(topic, { mode: 'broadcast', from: 'earliest', bufferBytesMax: 64 * 1024 })
    assert.deepEqual(texts(await take(reader, 1)), ['after it'])
    assert.ok(await isQuiet(reader))
  })

  test('acknowledgments of several partitions and groups in one transaction all take effect', async (t) => {
    const bus = await busOf(t, broker)
    const topic = await openTopic(bus, { partitions: 4 })
    const batch = Array.from({ length: 400 }, (_, n) => ({ subject: topic, key: `key-${n}`, value: String(n) }))
    await bus.writer(topic).write(batch)
    const transaction = await bus.transaction({ id: 'several' })
    await Promise.all(
      ['one', 'other'].map(async (group) => {
        const reader = bus.reader(topic, { mode: 'group', group })
        const acknowledged: Promise<void>[] = []
        for (let count = 0; count < 400; ) {
          const given = await reader.read({ waitMs: 30_000 })
          assert.ok(given !== null, `group ${group} was given only ${count}`)
          count += given.deliveries.length
          acknowledged.push(transaction.acknowledge(reader, given.last, given.generation))
        }
        await Promise.all(acknowledged)
      }),
    )
    await transaction.commit()
    for (const group of ['one', 'other']) {
      const lag = await bus.admin.lag(topic, group)
      assert.deepEqual(
        lag.map(({ messages }) => messages),
        [0, 0, 0, 0],
      )
    }
  })

  test('batches that are sent again over broken connections are stored once and in order', async (t) => {
    const bus = await busOf(t, broker)
    const topic = await openTopic(bus)
    const writer = bus.writer(topic)
    const written: Promise<unknown>[] = []
    for (let at = 0; at < 4_000; at += 20) {
      written.push(writer.write(numbered(topic, at, at + 20)))
      if (at % 400 === 200) broker.proxy.cut()
      await new Promise((resolve) => setImmediate(resolve))
    }
    await Promise.all(written)
    const reader = bus.reader(topic, { mode: 'broadcast', from: 'earliest' })
    const expected = Array.from({ length: 4_000 }, (_, n) => String(n))
    assert.deepEqual(texts(await take(reader, 4_000)), expected)
    assert.ok(await isQuiet(reader))
  })

  test('a new group starts at the earliest, and nothing is committed that was not acknowledged', async (t) => {
    const first = await busOf(t, broker)
    const topic = await openTopic(first)
    await first.writer(topic).write(numbered(topic, 0, 3))
    const reader = first.reader(topic, { mode: 'group', group: 'g' })
    const given = await reader.read({ waitMs: 30_000 })
    assert.deepEqual(texts(given!.deliveries), ['0', '1', '2'])
    await new Promise((resolve) => setTimeout(resolve, 500))
    await first.vanish()
    const second = await busOf(t, broker)
    await second.open({ name: topic, intent: 'telemetry' })
    assert.deepEqual(texts(await take(second.reader(topic, { mode: 'group', group: 'g' }), 3)), ['0', '1', '2'])
  })

  test('many acknowledgments at once are few commits, and the last of them counts', async (t) => {
    const bus = await busOf(t, broker)
    const topic = await openTopic(bus)
    await bus.writer(topic).write(numbered(topic, 0, 2_000))
    const reader = bus.reader(topic, { mode: 'group', group: 'g' })
    const acknowledged: Promise<void>[] = []
    for (let count = 0; count < 2_000; ) {
      const given = await reader.read({ waitMs: 30_000, maxMessages: 100 })
      count += given!.deliveries.length
      for (const { position } of given!.deliveries) acknowledged.push(reader.acknowledge(position))
    }
    const begun = performance.now()
    await Promise.all(acknowledged)
    assert.ok(performance.now() - begun < 5_000, '2,000 acknowledgments took as long as 2,000 commits')
    assert.equal((await bus.admin.lag(topic, 'g'))[0]!.messages, 0)
  })

  test("keys go to the partitions that Kafka's own Java client gives them", async (t) => {
    const bus = await busOf(t, broker)
    const topic = await openTopic(bus, { partitions: 7 })
    const keys = ['a', 'drone-7', 'schlüssel', '無人機', '1234567', 'ab', 'abc', 'abcd', 'abcde']
    await javaProduce(
      broker.server,
      topic,
      keys.map((key) => `${key}\tv`),
    )
    for (const delivery of await take(bus.reader(topic, { mode: 'broadcast', from: 'earliest' }), keys.length)) {
      assert.equal(delivery.position.partition, partitionOfKey(delivery.key!, 7), `of ${delivery.key}`)
    }
  })

  test('every write settles when the broker dies, and what was accepted is there once', async (t) => {
    const bus = await busOf(t, broker, { retryForMs: 60_000 })
    const topic = await openTopic(bus)
    const writer = bus.writer(topic)
    const [node] = broker.service.nodes
    const outcomes: Promise<PromiseSettledResult<unknown>>[] = []
    const write = (at: number) => {
      outcomes.push(Promise.allSettled([writer.write(numbered(topic, at, at + 10))]).then(([one]) => one!))
    }
    for (let at = 0; at < 500; at += 10) write(at)
    const killed = node!.kill()
    for (let at = 500; at < 1_000; at += 10) write(at)
    await killed
    await node!.start()
    const settled = await Promise.all(outcomes)
    assert.ok(settled.every(({ status }) => status === 'fulfilled'))
    const reader = bus.reader(topic, { mode: 'broadcast', from: 'earliest' })
    assert.deepEqual(
      texts(await take(reader, 1_000)),
      Array.from({ length: 1_000 }, (_, n) => String(n)),
    )
    assert.ok(await isQuiet(reader))
  })

  test('messages are read in batches, not one by one', async (t) => {
    const bus = await busOf(t, broker)
    const topic = await openTopic(bus)
    await bus.writer(topic).write(numbered(topic, 0, 20_000))
    const reader = bus.reader(topic, { mode: 'broadcast', from: 'earliest' })
    let [count, batches] = [0, 0]
    while (count < 20_000) {
      count += (await reader.read({ waitMs: 30_000 }))!.deliveries.length
      batches += 1
    }
    assert.ok(batches < 200, `20,000 messages came in ${batches} batches`)
  })

  test('a commit that is lost, and one whose answer is lost: messages and acknowledgments agree once the broker is heard again', async (t) => {
    const bus = await busOf(t, broker, { requestTimeoutMs: 1_000, retryForMs: 2_000 })
    const input = await openTopic(bus)
    const output = await openTopic(bus)
    await bus.writer(input).write(numbered(input, 0, 30))
    const reader = bus.reader(input, { mode: 'group', group: 'g', retry: { attemptsMax: 100 } })
    const weathers = [{ isDeaf: true }, {}, { isMute: true }]
    for (let left = 30, tries = 0; left > 0; tries += 1) {
      const given = await reader.read({ waitMs: 60_000, maxMessages: 5 })
      assert.ok(given !== null, `nothing of the last ${left} was given`)
      const transaction = await onceThere(() => bus.transaction({ id: 'lost' }))
      await transaction.write(
        output,
        given.deliveries.map((one) => ({ subject: output, value: one.text() })),
      )
      await transaction.acknowledge(reader, given.last, given.generation)
      const weather = weathers[tries] ?? {}
      broker.proxy.set({ onRequest: (bytes) => endsTransaction(bytes) && broker.proxy.set(weather) })
      const committed = transaction.commit()
      if (weather.isDeaf || weather.isMute) await assert.rejects(committed, { code: 'outcome-unknown' })
      else await committed
      broker.proxy.set({})
      left = (await onceThere(() => bus.admin.lag(input, 'g')))[0]!.messages
    }
    const outputs = texts(await take(bus.reader(output, { mode: 'broadcast', from: 'earliest' }), 30))
    assert.deepEqual(
      [...outputs].map(Number).sort((one, other) => one - other),
      [...Array(30).keys()],
    )
  })

  test('a place that a dead processor was about to commit is waited for, longer than other failures', async (t) => {
    const bus = await busOf(t, broker)
    const topic = await openTopic(bus)
    await bus.writer(topic).write(numbered(topic, 0, 3))
    const before = bus.reader(topic, { mode: 'group', group: 'g' })
    const given = await before.read({ maxMessages: 1, waitMs: 30_000 })
    await before.acknowledge(given!.last, given!.generation)
    await before.close()
    // From then on the id has a coordinator.
    await (await bus.transaction({ id: 'dying' })).abort()
    await dieCommitting(`${topic}/g`, topic, 2n)
    const impatient = await busOf(t, broker, { retryForMs: 1_000 })
    await impatient.open({ name: topic, intent: 'telemetry' })
    const reader = impatient.reader(topic, { mode: 'group', group: 'g' })
    await assert.rejects(impatient.admin.lag(topic, 'g'), { details: { kafkaError: 88 } })
    const successor = await busOf(t, broker)
    await (await successor.transaction({ id: 'dying' })).abort()
    assert.deepEqual(texts(await take(reader, 2)), ['1', '2'])
  })
})

/** As a processor dies between the two steps of its commit: its place is in a transaction that nobody ends. */
async function dieCommitting(groupId: string, topic: string, offset: bigint): Promise<void> {
  const connection = new Connection('dying')
  const [host, port] = broker.server.split(':') as [string, string]
  await connection.connect(host, Number(port))
  const { producerId, producerEpoch } = await initProducerIdV4.api.async(connection, 'dying', 60_000, -1n, -1)
  await addOffsetsToTxnV3.api.async(connection, 'dying', producerId, producerEpoch, groupId)
  const place = { partitionIndex: 0, committedOffset: offset, committedLeaderEpoch: -1, committedMetadata: null }
  const topics = [{ name: topic, partitions: [place] }]
  await txnOffsetCommitV3.api.async(connection, 'dying', groupId, producerId, producerEpoch, -1, '', null, topics)
  await connection.close()
}

/** Whether one of the requests is EndTxn (key 26): each begins with its length in four bytes, then its key in two. */
function endsTransaction(bytes: Buffer): boolean {
  for (let at = 0; at + 6 <= bytes.length; at += 4 + bytes.readUInt32BE(at)) {
    if (bytes.readUInt16BE(at + 4) === 26) return true
  }
  return false
}

/** Asks again while the broker does not answer: it is silent for some seconds here. */
async function onceThere<T>(ask: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await ask()
    } catch (error) {
      if (!(error instanceof SkeinError && error.retryable)) throw error
    }
  }
}
