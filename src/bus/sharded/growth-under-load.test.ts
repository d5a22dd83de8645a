import assert from 'node:assert/strict'
import { it, type TestContext } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { delegate } from '../../../testing/bus/delegate.ts'
import { seededRandom } from '../../../testing/index.ts'
import { memoryDisk, type Random, SkeinError } from '../../core/index.ts'
import { systemClock, systemRandom } from '../../core/system/index.ts'
import { openEmbeddedBus } from '../drivers/embedded/index.ts'
import { type Bus, type Delivery, EndMarks, type Reader, WriteError } from '../index.ts'
import { type GrowingBus, shardedBus } from './index.ts'

const TOPIC = 'swarm.telemetry'
const LEASE_MS = 60
const KEYS = ['a', 'b', 'c', 'd', 'e', 'f', 'g']
const machine = { clock: systemClock, random: systemRandom }

/** What writers were told of each key, in the order written. */
interface Ledger {
  readonly acked: Map<string, number[]>
  readonly unknown: Set<string>
}

/**
 * A way to the bus on which now and then a write arrives only after every lease has ended, and on which news of the growth
 * come late.
 */
function slowWay(bus: Bus, random: Random): Bus {
  return delegate(bus, {
    reader(topic, options) {
      const reader = bus.reader(topic, options)
      if (!topic.startsWith('skein.')) return reader
      return delegate(reader, {
        read: (limits) => delay(LEASE_MS * random.float()).then(() => reader.read(limits)),
        lag: async () => {
          const lags = await reader.lag()
          await delay(LEASE_MS * random.float())
          return lags
        },
      })
    },
    writer(topic, options) {
      const writer = bus.writer(topic, options)
      if (topic.startsWith('skein.')) return writer
      let last: Promise<unknown> = Promise.resolve()
      return delegate(writer, {
        write(batch) {
          const isLate = random.float() < 0.04
          const arrived = last.then(() => (isLate ? delay(LEASE_MS * (1 + 2 * random.float())) : undefined))
          last = arrived
          return arrived.then(() => writer.write(batch))
        },
      })
    },
  })
}

/** Writes numbered messages of its keys until stopped, several at once; what is not stored is written again. */
async function keepWriting(
  bus: GrowingBus,
  keys: readonly string[],
  to: { readonly ledger: Ledger; readonly signal: AbortSignal },
) {
  const writer = bus.writer(TOPIC)
  const { ledger, signal } = to
  let number = 0
  const inFlight = new Set<Promise<void>>()
  while (!signal.aborted) {
    number += 1
    const some = keys.map((key) => ({ subject: `${TOPIC}.${key}`, key, value: `${key}:${number}` }))
    const at = number
    const written = writer.write(some).then(
      () => {
        for (const { key } of some) ledger.acked.get(key)!.push(at)
      },
      (error: unknown) => {
        if (!(error instanceof WriteError)) throw error
        for (const index of error.accepted) ledger.acked.get(some[index]!.key)!.push(at)
        for (const index of error.unknown) ledger.unknown.add(some[index]!.value)
      },
    )
    inFlight.add(written)
    void written.finally(() => inFlight.delete(written))
    await delay(1)
    while (inFlight.size > 8) await Promise.race(inFlight)
  }
  await writer.drain()
  await Promise.all(inFlight)
}

/** Reads for a group, now and then as somebody else; notes what it was given, in order. */
async function keepReading(
  open: () => Reader,
  given: string[],
  at: { readonly random: Random; readonly signal: AbortSignal },
) {
  while (!at.signal.aborted) {
    const reader = open()
    for (let left = 20 + Math.floor(60 * at.random.float()); left > 0 && !at.signal.aborted; left -= 1) {
      const batch = await reader.read({ waitMs: 20 })
      if (batch === null) continue
      given.push(...batch.deliveries.map((delivery) => delivery.text()))
      // What went to another reader meanwhile comes again.
      await reader.acknowledge(batch.last, batch.generation).catch(() => {})
    }
    await reader.drain()
    await reader.close()
  }
}

async function readAll(bus: GrowingBus): Promise<string[]> {
  const reader = bus.reader(TOPIC, { mode: 'broadcast', from: 'earliest' })
  const marks = await EndMarks.of(reader)
  const texts: string[] = []
  while (!marks.reached) {
    const batch = await reader.read({ waitMs: EndMarks.pollMs })
    if (batch === null) await marks.nothingLeft()
    else texts.push(...marks.within(batch).map((delivery: Delivery) => delivery.text()))
  }
  await reader.close()
  return texts
}

const numbersOf = (texts: readonly string[], key: string) =>
  texts.filter((text) => text.startsWith(`${key}:`)).map((text) => Number(text.slice(key.length + 1)))

/** Everything acknowledged is there once and in order; what is there besides was told to be unknown. */
function checkLog(texts: readonly string[], { acked, unknown }: Ledger): void {
  for (const [key, numbers] of acked) {
    const found = numbersOf(texts, key)
    assert.deepEqual(
      found,
      found.toSorted((one, other) => one - other),
      `${key} out of order`,
    )
    assert.equal(new Set(found).size, found.length, `${key} twice`)
    const lost = numbers.filter((number) => !found.includes(number))
    assert.deepEqual(lost, [], `acknowledged, and not there: ${key}`)
    const strange = found.filter((number) => !numbers.includes(number) && !unknown.has(`${key}:${number}`))
    assert.deepEqual(strange, [], `there, and not acknowledged: ${key}`)
  }
}

/** First deliveries ascend; everything that counts was given. */
function checkGroup(given: readonly string[], log: readonly string[]): void {
  for (const key of KEYS) {
    const first = [...new Set(numbersOf(given, key))]
    const expected = numbersOf(log, key)
    assert.deepEqual(
      first,
      first.toSorted((one, other) => one - other),
      `${key} out of order in a group`,
    )
    assert.deepEqual(new Set(first), new Set(expected), `a group was not given what there is of ${key}, or more`)
  }
}

/** Growers die after any step; the next one goes on. */
async function keepGrowing(open: () => GrowingBus, random: Random, counts: readonly number[]) {
  for (const partitions of counts) {
    for (;;) {
      const death = new AbortController()
      const dies = random.float() < 0.5
      let steps = Math.floor(4 * random.float())
      const onStep = () => {
        if (dies && steps-- === 0) death.abort(new Error('killed'))
        if (death.signal.aborted) throw death.signal.reason
      }
      const grown = await open()
        .grow(TOPIC, { partitions }, { onStep, signal: death.signal })
        .catch((error: unknown) => {
          const isFenced = error instanceof SkeinError && error.code === 'fenced'
          if (!death.signal.aborted && !isFenced) throw error
        })
      if (grown !== undefined) break
    }
    await delay(100)
  }
}

async function play(context: TestContext, seed: number) {
  const random = seededRandom(seed)
  const inner = await openEmbeddedBus({ disk: memoryDisk(), directory: 'data', ...machine })
  const buses: GrowingBus[] = []
  const open = (bus: Bus = inner) => {
    const made = shardedBus(delegate(bus, { close: async () => {}, drain: async () => {} }), machine)
    buses.push(made)
    return made
  }
  const stop = new AbortController()
  const reading = new AbortController()
  context.after(async () => {
    stop.abort()
    reading.abort()
    for (const bus of buses) await bus.close()
    await inner.close()
  })
  const spec = { name: TOPIC, intent: 'telemetry', partitions: 2, durability: 'none' } as const
  await open().open({ ...spec, sharding: { leaseMs: LEASE_MS } })
  const ledger: Ledger = { acked: new Map(KEYS.map((key) => [key, []])), unknown: new Set() }
  const writers = [KEYS.slice(0, 4), KEYS.slice(4)].map((keys) =>
    keepWriting(open(slowWay(inner, random)), keys, { ledger, signal: stop.signal }),
  )
  const given: string[] = []
  const readers = [1, 2, 3].map(() => {
    const bus = open()
    const reader = () => bus.reader(TOPIC, { mode: 'group', group: 'g', retry: { delayMs: 1 } })
    return keepReading(reader, given, { random, signal: reading.signal })
  })
  await keepGrowing(open, random, [5, 3, 8])
  stop.abort()
  await Promise.all(writers)
  const log = await readAll(open())
  const admin = open().admin
  while ((await admin.lag(TOPIC, 'g')).some(({ messages }) => messages > 0)) await delay(20)
  reading.abort()
  await Promise.all(readers)
  checkLog(log, ledger)
  checkGroup(given, log)
  assert.deepEqual(await readAll(open()), log, 'whoever reads it reads the same')
  return {
    generations: (await admin.describeTopic(TOPIC)).partitions.length,
    unknown: ledger.unknown.size,
    log: log.length,
  }
}

it('a topic grows three times under load, growers, readers and late writes notwithstanding: nothing is lost, doubled or out of order', async (context) => {
  let unknown = 0
  for (let seed = 1; seed <= 3 || (unknown === 0 && seed <= 9); seed += 1) {
    const found = await play(context, seed)
    assert.equal(found.generations, 2 + 5 + 3 + 8)
    unknown += found.unknown
  }
  assert.ok(unknown > 0, 'no write was so late that it came behind an end')
})
