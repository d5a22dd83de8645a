import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { type TestContext, test } from 'node:test'
import { openEmbeddedBus } from '../../bus/drivers/embedded/index.ts'
import { type Bus, type Delivery, type Message, type TopicSpec, WriteError } from '../../bus/index.ts'
import { memoryDisk, SkeinError } from '../../core/index.ts'
import { systemClock, systemRandom } from '../../core/system/index.ts'
import { type ObjectStore, openDirectoryStore } from '../../objects/index.ts'
import { readToEnd } from '../read-to-end.ts'
import type { ArchiveRecord } from './archive-record.ts'
import { Manifest, recordName } from './manifest.ts'
import { openArchive } from './open-archive.ts'
import { restoreArchive } from './restore-archive.ts'
import type { RestoreOptions, RestoreReport } from './restore-options.ts'
import { verifyArchive } from './verify-archive.ts'

const machine = { clock: systemClock, random: systemRandom }
const TOPIC = 'swarm.positions'
const POSITIONS: TopicSpec = { name: TOPIC, intent: 'telemetry', durability: 'none', partitions: 3 }

async function openMemory(t: TestContext): Promise<Bus> {
  const bus = await openEmbeddedBus({ disk: memoryDisk(), directory: 'data', ...machine })
  t.after(() => bus.close())
  return bus
}

function reports(count: number, first = 0): Message[] {
  return Array.from({ length: count }, (_, index) => {
    const number = first + index
    const key = `drone-${number % 7}`
    const value = number % 5 === 0 ? Uint8Array.of(255, number & 127, 0) : `{"number":${number}}`
    return {
      subject: `${TOPIC}.${key}`,
      key,
      value,
      headers: { about: key, number: String(number) },
      timestampMs: 1e12 + number,
    }
  })
}

/** A topic with these messages, and an archive of it in segments of a few thousand bytes. */
async function archived(t: TestContext, messages: readonly Message[], spec: TopicSpec = POSITIONS) {
  const bus = await openMemory(t)
  await bus.open(spec)
  const store = await openDirectoryStore({ disk: memoryDisk(), directory: 'archive' })
  await bus.writer(TOPIC).write(messages)
  await archiveAll(bus, store)
  return { bus, store }
}

async function archiveAll(bus: Bus, store: ObjectStore) {
  const source = { bus, topic: TOPIC }
  const archive = await openArchive({ source, store, beatMs: 50, segmentBytes: 20_000, ...machine })
  await archive.run({ untilEnd: true })
  return archive.status()
}

const restore = (store: ObjectStore, bus: Bus, more: Partial<RestoreOptions> = {}): Promise<RestoreReport> =>
  restoreArchive({ store, target: { bus }, create: true, durability: 'none', ...machine, ...more })

async function all(bus: Bus, topic = TOPIC): Promise<Delivery[]> {
  const { partitions } = await bus.admin.describeTopic(topic)
  const found: Delivery[] = []
  for await (const deliveries of readToEnd(bus, topic, { from: partitions.map(({ start }) => start) })) {
    found.push(...deliveries)
  }
  return found
}

/** Of each key, in order: a digest of everything that its messages are but for their places, and for Skein's own headers. */
function contents(deliveries: readonly Delivery[], rename = (text: string) => text): Record<string, string> {
  const found: Record<string, string[]> = {}
  for (const { key = '', subject, value, headers, timestampMs } of deliveries) {
    const own = Object.entries(headers).filter(([name]) => !name.startsWith('skein'))
    const text = JSON.stringify([subject, value === null ? null : [...value], own, timestampMs])
    found[key] ??= []
    found[key].push(rename(text))
  }
  const digest = (texts: string[]) => `${texts.length} ${createHash('sha256').update(texts.join()).digest('hex')}`
  return Object.fromEntries(
    Object.entries(found)
      .map(([key, texts]) => [key, digest(texts)])
      .sort(),
  )
}

/** A bus whose writer stores only some of the write in hand once `after` messages are stored, and then fails. */
function failing(bus: Bus, after: number, failure: () => SkeinError): Bus {
  let stored = 0
  return new Proxy(bus, {
    get(target, name) {
      if (name !== 'writer') return bound(target, name)
      return (topic: string) => {
        const writer = target.writer(topic)
        if (topic !== TOPIC) return writer
        return new Proxy(writer, {
          get(inner, name) {
            if (name !== 'write') return bound(inner, name)
            return async (batch: readonly Message[]) => {
              if (stored >= after) throw failure()
              // As a broker that has stored what goes to some partitions, and not yet the rest.
              const part = batch.filter(({ key }) => Number(key!.at(-1)) % 2 === 0)
              stored += batch.length
              if (stored < after) return inner.write(batch)
              await inner.write(part)
              throw failure()
            }
          },
        })
      }
    },
  })
}

function bound<T extends object>(target: T, name: string | symbol): unknown {
  const value = Reflect.get(target, name)
  return typeof value === 'function' ? value.bind(target) : value
}

test('a restore gives a topic with the same keys, values, headers and order per key', async (t) => {
  const { bus, store } = await archived(t, reports(5_000))
  const there = await openMemory(t)
  const progress: number[] = []
  const report = await restore(store, there, { onProgress: ({ read }) => progress.push(read) })
  assert.deepEqual([report.restored, report.messages, report.read, report.repeats], [5_000, 5_000, 5_000, 0])
  assert.deepEqual(contents(await all(there)), contents(await all(bus)))
  assert.ok(progress.length > 5 && progress.at(-1) === 5_000)
  assert.equal((await there.admin.describeTopic(TOPIC)).partitions.length, 3)
})

test('a restore goes to a topic of another name and other partitions, in order per key', async (t) => {
  const { bus, store } = await archived(t, reports(1_000))
  const there = await openMemory(t)
  const topic = 'swarm.restored'
  await there.open({ ...POSITIONS, name: topic, partitions: 2 })
  await restore(store, there, { target: { bus: there, topic }, create: false })
  const found = await all(there, topic)
  assert.deepEqual(
    contents(found),
    contents(await all(bus), (text) => text.replaceAll(TOPIC, topic)),
  )
})

test('a restore that was cut off in the middle of a write and is run again writes each message once', async (t) => {
  const { bus, store } = await archived(t, reports(20_000))
  for (const after of [1, 9_000, 17_000]) {
    const there = await openMemory(t)
    const cutOff = failing(there, after, () => new SkeinError('closed', 'Cannot write: cut off'))
    await assert.rejects(restore(store, cutOff), { code: 'closed' })
    const before = (await all(there)).length
    assert.ok(before > 0 && before < 20_000)
    const report = await restore(store, there)
    assert.deepEqual([report.repeats, report.restored], [before, 20_000 - before])
    assert.deepEqual(contents(await all(there)), contents(await all(bus)))
    assert.equal((await restore(store, there)).restored, 0)
  }
})

test('a write whose result is not known is looked up in the target, and what is missing is written again', async (t) => {
  const { bus, store } = await archived(t, reports(3_000))
  const there = await openMemory(t)
  let failures = 0
  const lost = () => {
    failures += 1
    return new WriteError('Cannot write: the answer was lost', { accepted: [], unknown: [], retryable: true })
  }
  const weak = failing(there, 1, lost)
  const problems: SkeinError[] = []
  const stop = new AbortController()
  const onProblem = (problem: SkeinError) => {
    problems.push(problem)
    if (problems.length === 3) stop.abort()
  }
  await assert.rejects(restore(store, weak, { onProblem, signal: stop.signal }))
  assert.ok(failures >= 3)
  await restore(store, there)
  assert.deepEqual(contents(await all(there)), contents(await all(bus)))
})

test('an archive that has grown is restored further', async (t) => {
  const { bus, store } = await archived(t, reports(500))
  const there = await openMemory(t)
  await restore(store, there)
  await bus.writer(TOPIC).write(reports(300, 500))
  await archiveAll(bus, store)
  assert.equal((await restore(store, there)).restored, 300)
  assert.deepEqual(contents(await all(there)), contents(await all(bus)))
})

test('a damaged segment stops a restore with an error that names it, and what came before it is restored', async (t) => {
  const { store } = await archived(t, reports(3_000))
  const segments = (await Array.fromAsync(new Manifest(store).records())).flatMap(({ segment }) => segment ?? [])
  const { name } = segments[2]!
  const whole = await store.get(name)
  const broken = Uint8Array.from(whole)
  broken[100]! ^= 16
  await store.put(name, broken)
  const there = await openMemory(t)
  await assert.rejects(
    restore(store, there),
    (error: SkeinError) => error.code === 'corrupt' && error.details.object === name,
  )
  await store.put(name, whole)
  await restore(store, there)
  assert.equal((await all(there)).length, 3_000)
})

test('what a message has left of its time to live is kept, and what has expired is left out unless it is asked for', async (t) => {
  const lasting = { subject: `${TOPIC}.a`, key: 'a', value: 'lasting', ttlMs: 3_600_000 }
  const brief = { subject: `${TOPIC}.a`, key: 'a', value: 'brief', ttlMs: 60_000 }
  const { store } = await archived(t, [lasting, brief])
  const there = await openMemory(t)
  const later = { ...systemClock, nowMs: () => systemClock.nowMs() + 600_000 }
  const report = await restore(store, there, { clock: later })
  assert.deepEqual([report.restored, report.expired], [1, 1])
  const [one] = await all(there)
  const ttlMs = Number(one!.headers.skeinttl)
  assert.ok(ttlMs <= 3_000_000 && ttlMs > 2_900_000, String(ttlMs))
  const forEver = await openMemory(t)
  await restore(store, forEver, { clock: later, expired: 'keep' })
  const kept = await all(forEver)
  assert.deepEqual(
    kept.map((delivery) => [delivery.text(), delivery.headers.skeinttl]),
    [
      ['lasting', undefined],
      ['brief', undefined],
    ],
  )
})

test('a part of an archive is restored by the time of the appends, and not into a topic that holds another part', async (t) => {
  const { bus, store } = await archived(t, reports(100))
  await bus.writer(TOPIC).write(reports(1, 100))
  const times = (await all(bus)).map(({ appendedAtMs }) => appendedAtMs)
  const since = Math.max(...times)
  await archiveAll(bus, store)
  const there = await openMemory(t)
  const wanted = times.filter((time) => time >= since).length
  assert.equal((await restore(store, there, { sinceMs: since })).restored, wanted)
  assert.equal((await restore(store, there, { sinceMs: since })).restored, 0)
  await assert.rejects(restore(store, there), { code: 'bad-argument' })
  const elsewhere = await openMemory(t)
  assert.equal((await restore(store, elsewhere, { beforeMs: since })).restored, 101 - wanted)
})

test('a topic is not restored onto itself, but onto one of its name that was made after it; that is not archived again', async (t) => {
  const { bus, store } = await archived(t, reports(200))
  await assert.rejects(restore(store, bus), { code: 'bad-argument' })
  const before = contents(await all(bus))
  await bus.admin.deleteTopic(TOPIC)
  await restore(store, bus)
  assert.deepEqual(contents(await all(bus)), before)
  const other = await openDirectoryStore({ disk: memoryDisk(), directory: 'archive' })
  const { looped, archived: stored } = await archiveAll(bus, other)
  assert.deepEqual([looped, stored], [200, 0])
})

test('a place without an archive, a topic that is not there, and one of Skein’s own are refused', async (t) => {
  const { store } = await archived(t, reports(10))
  const there = await openMemory(t)
  const empty = await openDirectoryStore({ disk: memoryDisk(), directory: 'archive' })
  await assert.rejects(restore(empty, there), { code: 'not-found' })
  await assert.rejects(restore(store, there, { create: false }), { code: 'not-found' })
  await assert.rejects(restore(store, there, { target: { bus: there, topic: 'skein.roster' } }), {
    code: 'unauthorised',
  })
  await assert.rejects(restore(store, there, { durability: 'replicated' }), { code: 'unsupported' })
})

test('a message that the target refuses ends a restore with the reason, and a topic that takes it is restored to the end', async (t) => {
  const large = { subject: `${TOPIC}.large`, key: 'large', value: 'x'.repeat(50_000) }
  const { store } = await archived(t, [...reports(10), large, ...reports(10, 10)])
  const there = await openMemory(t)
  await there.open({ ...POSITIONS, messageBytesMax: 10_000 })
  await assert.rejects(restore(store, there), { code: 'message-too-large' })
  const elsewhere = await openMemory(t)
  assert.equal((await restore(store, elsewhere)).restored, 21)
})

test('verifying names every damaged object, counts what is whole, and finds and cleans what no record names', async (t) => {
  const { store } = await archived(t, reports(3_000))
  const records: ArchiveRecord[] = await Array.fromAsync(new Manifest(store).records())
  const segments = records.flatMap(({ segment }) => segment ?? [])
  const whole = await verifyArchive(store)
  assert.deepEqual([whole.damaged, whole.orphans, whole.messages, whole.segments], [[], 0, 3_000, segments.length])
  await store.put('segments/2026/01/01/00/000000000002-dead.ndjson.gz', Uint8Array.of(1, 2, 3))
  await store.put('segments/2026/01/01/00/000000009999-alive.ndjson.gz', Uint8Array.of(1, 2, 3))
  const cleaned = await verifyArchive(store, { clean: true })
  assert.deepEqual([cleaned.orphans, cleaned.orphanBytes, cleaned.cleaned], [1, 3, 1])
  assert.equal((await verifyArchive(store)).orphans, 0)
  assert.ok(await store.stat('segments/2026/01/01/00/000000009999-alive.ndjson.gz'), 'it may be on its way')
  await store.delete(segments[1]!.name)
  await store.put(segments[3]!.name, Uint8Array.of(1))
  const { damaged } = await verifyArchive(store)
  assert.deepEqual(
    damaged.map(({ object }) => object),
    [segments[1]!.name, segments[3]!.name],
  )
  await store.put(recordName(3), await store.get(recordName(2)))
  assert.equal((await verifyArchive(store)).damaged.at(-1)!.object, recordName(3))
})
