import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { gunzipSync, gzipSync } from 'node:zlib'
import { until } from '../../../test/until.ts'
import { openEmbeddedBus } from '../../bus/drivers/embedded/index.ts'
import type { Bus, Message, TopicSpec } from '../../bus/index.ts'
import { memoryDisk, SkeinError } from '../../core/index.ts'
import { systemClock, systemRandom } from '../../core/system/index.ts'
import { type ObjectStore, openDirectoryStore } from '../../objects/index.ts'
import type { Archive } from './archive.ts'
import type { ArchiveOptions } from './archive-options.ts'
import type { ArchiveRecord } from './archive-record.ts'
import type { ArchivedRow } from './archived-row.ts'
import { Manifest, recordName } from './manifest.ts'
import { openArchive } from './open-archive.ts'
import { readSegment } from './read-segment.ts'

const machine = { clock: systemClock, random: systemRandom }
const TOPIC = 'swarm.positions'
const POSITIONS: TopicSpec = { name: TOPIC, intent: 'telemetry', durability: 'none', partitions: 3 }

async function openMemory(t: TestContext, spec: TopicSpec = POSITIONS): Promise<Bus> {
  const bus = await openEmbeddedBus({ disk: memoryDisk(), directory: 'data', ...machine })
  t.after(() => bus.close())
  await bus.open(spec)
  return bus
}

const openStore = () => openDirectoryStore({ disk: memoryDisk(), directory: 'archive' })

function reports(count: number, first = 0): Message[] {
  return Array.from({ length: count }, (_, index) => {
    const number = first + index
    const key = `drone-${number % 7}`
    return { subject: `${TOPIC}.${key}`, key, value: `{"drone":"${key}","number":${number}}`, headers: { about: key } }
  })
}

const open = (bus: Bus, store: ObjectStore, more: Partial<ArchiveOptions> = {}): Promise<Archive> =>
  openArchive({ source: { bus, topic: TOPIC }, store, beatMs: 50, ...machine, ...more })

/** Everything that is in the source now, archived by an archiver that then ends. */
async function archiveAll(bus: Bus, store: ObjectStore, more: Partial<ArchiveOptions> = {}) {
  const archive = await open(bus, store, more)
  await archive.run({ untilEnd: true })
  return archive.status()
}

const records = (store: ObjectStore): Promise<ArchiveRecord[]> => Array.fromAsync(new Manifest(store).records())

async function rows(store: ObjectStore): Promise<ArchivedRow[]> {
  const found: ArchivedRow[] = []
  for (const { segment } of await records(store)) {
    if (segment !== undefined) for await (const row of readSegment(store, segment)) found.push(row)
  }
  return found
}

function checkArchived(found: readonly ArchivedRow[], messages: readonly Message[]): void {
  assert.deepEqual(found.map(({ value }) => value).sort(), messages.map(({ value }) => value).sort())
  const last = new Map<number, number>()
  for (const { partition, sequence } of found) {
    assert.ok(sequence > (last.get(partition) ?? -1), `${partition}:${sequence} after ${last.get(partition)}`)
    last.set(partition, sequence)
  }
}

test('an archive holds every message once, in the order of its partition, with all that a reader is given', async (t) => {
  const [bus, store] = [await openMemory(t), await openStore()]
  const writer = bus.writer(TOPIC)
  const odd: Message[] = [
    { subject: `${TOPIC}.text`, value: 'no json', id: 'one', timestampMs: 1_700_000_000_123 },
    { subject: `${TOPIC}.spaces`, value: '{"a": 1}\n' },
    { subject: `${TOPIC}.bytes`, value: Uint8Array.of(0, 255, 254, 10, 13) },
    { subject: `${TOPIC}.gone`, key: 'gone', value: null },
    { subject: `${TOPIC}.empty`, value: '' },
    { subject: `${TOPIC}.brief`, value: '[1,2]', ttlMs: 3_600_000, headers: { ünïcode: 'ßtrange\n"value"' } },
  ]
  await writer.write(reports(1_000))
  await writer.write(odd)
  const status = await archiveAll(bus, store)
  assert.deepEqual([status.messages, status.archived, status.lagMessages, status.state], [1_006, 1_006, 0, 'stopped'])
  const found = await rows(store)
  checkArchived(
    found.filter(({ subject }) => subject.includes('.drone-')),
    reports(1_000),
  )
  const bySubject = new Map(found.map((row) => [row.subject, row]))
  for (const { subject, value, key, id, timestampMs } of odd) {
    const row = bySubject.get(subject)!
    assert.deepEqual(
      row.value instanceof Uint8Array ? [...row.value] : row.value,
      value instanceof Uint8Array ? [...value] : value,
      subject,
    )
    assert.deepEqual([row.key, row.id], [key, id])
    if (timestampMs !== undefined) assert.equal(row.timestampMs, timestampMs)
  }
  const brief = bySubject.get(`${TOPIC}.brief`)!
  assert.equal(brief.headers!.ünïcode, 'ßtrange\n"value"')
  assert.equal(brief.expiresAtMs, brief.appendedAtMs + 3_600_000)
})

test('a segment is lines of JSON under the hour of its messages, and the manifest says what it holds', async (t) => {
  const [bus, store] = [await openMemory(t), await openStore()]
  await bus.writer(TOPIC).write(reports(500))
  await archiveAll(bus, store)
  const [claim, { segment, totals, places } = {} as ArchiveRecord, ...others] = await records(store)
  assert.deepEqual([claim!.segment, others.length, totals.messages], [undefined, 0, 500])
  const bytes = await store.get(segment!.name)
  const lines = gunzipSync(bytes).toString().trimEnd().split('\n')
  assert.deepEqual([lines.length, bytes.byteLength], [500, segment!.bytes])
  const appended = lines.map((line) => JSON.parse(line).appendedAtMs as number)
  const hour = new Date(Math.min(...appended)).toISOString().slice(0, 13).replace(/[-T]/g, '/')
  assert.match(segment!.name, new RegExp(`^segments/${hour}/[0-9]{12}-[0-9a-f]{12}[.]ndjson[.]gz$`))
  assert.deepEqual(
    segment!.ranges.map(({ messages }) => messages).reduce((sum, one) => sum + one),
    500,
  )
  assert.deepEqual(
    segment!.ranges.map(({ partition, lastSequence }) => [partition, lastSequence + 1]),
    places.filter(({ last }) => last).map(({ partition, nextSequence }) => [partition, nextSequence]),
  )
})

test('each record names places right behind what the segments up to it hold: whoever goes on from there loses nothing', async (t) => {
  const [bus, store] = [await openMemory(t), await openStore()]
  await bus.writer(TOPIC).write(reports(2_000))
  await archiveAll(bus, store, { segmentBytes: 5_000 })
  const behind = new Map<number, number>()
  for (const { segment, places } of await records(store)) {
    for (const { partition, lastSequence } of segment?.ranges ?? []) behind.set(partition, lastSequence + 1)
    for (const { partition, nextSequence } of places) assert.equal(nextSequence, behind.get(partition) ?? 0)
  }
})

test('an archiver goes on where the one before it ended, and a second run finds nothing', async (t) => {
  const [bus, store] = [await openMemory(t), await openStore()]
  const writer = bus.writer(TOPIC)
  for (const first of [0, 300, 600]) {
    await writer.write(reports(300, first))
    const { archived } = await archiveAll(bus, store, { segmentBytes: 10_000 })
    assert.equal(archived, 300)
  }
  assert.equal((await archiveAll(bus, store)).archived, 0)
  assert.ok((await records(store)).filter(({ segment }) => segment).length > 5, 'there are several segments')
  checkArchived(await rows(store), reports(900))
})

test('an archive that begins at the latest leaves out what was there before, also after a restart', async (t) => {
  const [bus, store] = [await openMemory(t), await openStore()]
  const writer = bus.writer(TOPIC)
  await writer.write(reports(50))
  assert.equal((await archiveAll(bus, store, { from: 'latest' })).archived, 0)
  await writer.write(reports(70, 50))
  assert.equal((await archiveAll(bus, store)).archived, 70)
})

test('messages that come slowly are in the archive when the age of a segment is reached, and lag says what is not', async (t) => {
  const [bus, store] = [await openMemory(t), await openStore()]
  const archive = await open(bus, store, { segmentAgeMs: 300 })
  const stop = new AbortController()
  const running = archive.run({ signal: stop.signal })
  await bus.writer(TOPIC).write(reports(10))
  await until(async () => (await archive.status()).lagMessages > 0)
  await until(async () => (await archive.status()).messages === 10)
  await until(async () => (await archive.status()).lagMessages === 0)
  assert.equal((await archive.status()).lagSeconds ?? 0, 0)
  stop.abort()
  await running
})

test('a signal ends an archiver when what it has read is stored, and whoever comes next need not wait', async (t) => {
  const [bus, store] = [await openMemory(t), await openStore()]
  const archive = await open(bus, store)
  const stop = new AbortController()
  const running = archive.run({ signal: stop.signal })
  await bus.writer(TOPIC).write(reports(10))
  await until(async () => (await archive.status()).lagMessages === 10)
  await until(async () => (await bus.admin.describeTopic(TOPIC)).partitions.length === 3)
  stop.abort()
  await running
  await archiveAll(bus, store, { beatMs: 1_000_000 })
  checkArchived(await rows(store), reports(10))
})

test('a second archiver is refused while one lives', async (t) => {
  const [bus, store] = [await openMemory(t), await openStore()]
  const archive = await open(bus, store, { beatMs: 300 })
  const stop = new AbortController()
  const running = archive.run({ signal: stop.signal })
  await assert.rejects(open(bus, store), { code: 'locked' })
  stop.abort()
  await running
  assert.equal((await archiveAll(bus, store)).state, 'stopped')
})

test('an archiver that waits for a dead one is let go by its signal, and a damaged heartbeat is named', async (t) => {
  const [bus, store] = [await openMemory(t), await openStore()]
  await open(bus, store, { beatMs: 1_000_000 })
  const stop = new AbortController()
  const opening = open(bus, store, { signal: stop.signal })
  stop.abort()
  await assert.rejects(opening, { name: 'AbortError' })
  await store.put('writer.json', Uint8Array.of(1, 2))
  await assert.rejects(open(bus, store), { code: 'corrupt', message: /writer\.json/ })
  assert.equal((await archiveAll(bus, store, { takeOver: true })).state, 'stopped')
})

test('an archiver that another has taken over from can write no more, and nothing is doubled', async (t) => {
  const [bus, store] = [await openMemory(t), await openStore()]
  const writer = bus.writer(TOPIC)
  await writer.write(reports(100))
  const first = await open(bus, store, { segmentAgeMs: 50 })
  const running = first.run()
  await until(async () => (await first.status()).messages === 100)
  const second = await open(bus, store, { takeOver: true })
  await writer.write(reports(100, 100))
  await assert.rejects(running, { code: 'fenced' })
  await second.run({ untilEnd: true })
  checkArchived(await rows(store), reports(200))
})

test('of archivers that begin at once the others are told, and everything is archived once', async (t) => {
  const [bus, store] = [await openMemory(t), await openStore()]
  await bus.writer(TOPIC).write(reports(10))
  await archiveAll(bus, store)
  await bus.writer(TOPIC).write(reports(500, 10))
  const several = Array.from({ length: 4 }, () => archiveAll(bus, store, { segmentBytes: 2_000, takeOver: true }))
  const ends = await Promise.allSettled(several)
  assert.ok(ends.some(({ status }) => status === 'fulfilled'))
  for (const end of ends) if (end.status === 'rejected') assert.match(end.reason.code, /^(locked|fenced)$/)
  checkArchived(await rows(store), reports(510))
})

test('an archiver that dies before or behind any step of its work leaves nothing lost or doubled to the next', async (t) => {
  const bus = await openMemory(t)
  await bus.writer(TOPIC).write(reports(300))
  for (const when of ['before', 'behind'] as const) {
    for (let step = 1; step <= 14; step += 1) {
      const store = await openStore()
      await archiveAll(bus, dyingAt(store, { step, when }), { segmentBytes: 5_000 }).then(
        () => assert.fail(`it lived through step ${step}`),
        ({ code }) => assert.equal(code, 'closed'),
      )
      await archiveAll(bus, store, { segmentBytes: 5_000, takeOver: true })
      checkArchived(await rows(store), reports(300))
    }
  }
})

test('a store that is away is told and tried again, and nothing is lost or doubled', async (t) => {
  const [bus, inner] = [await openMemory(t), await openStore()]
  await bus.writer(TOPIC).write(reports(2_000))
  const problems: string[] = []
  let calls = 0
  const away = () => new SkeinError('connection-lost', 'Cannot reach the store: it is away', { retryable: true })
  const store: ObjectStore = {
    ...bound(inner),
    async put(name, bytes) {
      if (name.startsWith('segments/') && calls++ % 2 === 0) throw away()
      await inner.put(name, bytes)
    },
    async create(name, bytes) {
      const isMade = await inner.create(name, bytes)
      // The answer is lost: the record is there all the same.
      if (name !== recordName(1) && calls++ % 3 === 0) throw away()
      return isMade
    },
  }
  const archive = await open(bus, store, { segmentBytes: 20_000, onProblem: ({ code }) => problems.push(code) })
  await archive.run({ untilEnd: true })
  assert.ok(problems.length > 2 && problems.every((code) => code === 'connection-lost'), problems.join())
  checkArchived(await rows(inner), reports(2_000))
})

/** A topic of one partition that keeps next to nothing, and a way to have retention take what was written. */
async function fleeting(t: TestContext) {
  const bus = await openEmbeddedBus({
    ...{ disk: memoryDisk(), directory: 'data', ...machine },
    ...{ segmentBytes: 64 * 1024, maintenanceIntervalMs: 5 },
  })
  t.after(() => bus.close())
  await bus.open({ ...POSITIONS, partitions: 1, retention: { bytes: 1_024 } })
  const takeBefore = async (sequence: number) => {
    const value = 'x'.repeat(64 * 1024)
    await until(async () => {
      await bus.writer(TOPIC).write([{ subject: TOPIC, value }])
      const { start } = (await bus.admin.describeTopic(TOPIC)).partitions[0]!
      return start.sequence > sequence
    })
  }
  return { bus, takeBefore }
}

/** What is in the archive and what the manifest says is missing make up all of the topic. */
async function checkGaps(bus: Bus, store: ObjectStore): Promise<void> {
  const gaps = (await records(store)).flatMap((record) => record.gaps ?? [])
  const present = (await rows(store)).map(({ sequence }) => sequence)
  const missing = gaps.flatMap(({ fromSequence, beforeSequence }) =>
    Array.from({ length: beforeSequence - fromSequence }, (_, index) => fromSequence + index),
  )
  assert.ok(missing.length > 0)
  const { end } = (await bus.admin.describeTopic(TOPIC)).partitions[0]!
  assert.deepEqual(
    [...present, ...missing].sort((one, other) => one - other),
    Array.from({ length: end.sequence }, (_, index) => index),
  )
}

test('a signal while the store is away ends an archiver all the same, and the next one reads again what was not stored', async (t) => {
  const [bus, inner] = [await openMemory(t), await openStore()]
  await bus.writer(TOPIC).write(reports(100))
  let isAway = true
  const store: ObjectStore = {
    ...bound(inner),
    async put(name, bytes) {
      if (isAway && name.startsWith('segments/')) {
        throw new SkeinError('connection-lost', 'Cannot reach the store: it is away', { retryable: true })
      }
      await inner.put(name, bytes)
    },
  }
  const codes: string[] = []
  const archive = await open(bus, store, { segmentAgeMs: 10, onProblem: ({ code }) => codes.push(code) })
  const stop = new AbortController()
  const running = archive.run({ signal: stop.signal })
  await until(async () => (await archive.status()).state === 'store-away')
  stop.abort()
  await running
  assert.equal(codes.at(-1), 'aborted')
  assert.deepEqual(await rows(inner), [])
  isAway = false
  await archiveAll(bus, store)
  checkArchived(await rows(inner), reports(100))
})

test('what retention took while no archiver ran is a gap, told and kept in the manifest', async (t) => {
  const { bus, takeBefore } = await fleeting(t)
  const store = await openStore()
  await bus.writer(TOPIC).write(reports(10))
  await archiveAll(bus, store)
  await bus.writer(TOPIC).write(reports(10))
  await takeBefore(15)
  const problems: SkeinError[] = []
  const { gaps } = await archiveAll(bus, store, { onProblem: (problem) => problems.push(problem) })
  assert.ok(gaps >= 1 && problems.length >= 1 && problems.every(({ code }) => code === 'position-gone'))
  await checkGaps(bus, store)
})

test('what retention took from under an archiver is a gap, told and kept in the manifest', async (t) => {
  const { bus, takeBefore } = await fleeting(t)
  const store = await openStore()
  await bus.writer(TOPIC).write(reports(10))
  await archiveAll(bus, store)
  await bus.writer(TOPIC).write(reports(10))
  const problems: SkeinError[] = []
  const archive = await open(bus, store, { onProblem: (problem) => problems.push(problem) })
  await takeBefore(15)
  await archive.run({ untilEnd: true })
  assert.ok(problems.length >= 1 && problems.every(({ code }) => code === 'position-gone'))
  await checkGaps(bus, store)
})

test('a topic that was made again is noticed, and not mixed with the one that the archive holds', async (t) => {
  const [bus, store] = [await openMemory(t), await openStore()]
  await bus.writer(TOPIC).write(reports(100))
  await archiveAll(bus, store)
  await bus.admin.deleteTopic(TOPIC)
  await bus.open(POSITIONS)
  await assert.rejects(archiveAll(bus, store), { code: 'position-gone' })
  await bus.writer(TOPIC).write(reports(200))
  await assert.rejects(archiveAll(bus, store), { code: 'position-gone' })
  checkArchived(await rows(store), reports(100))
})

test('an archive of another topic, or of another broker, is refused', async (t) => {
  const [bus, store] = [await openMemory(t), await openStore()]
  await archiveAll(bus, store)
  await assert.rejects(open(await openMemory(t), store), { code: 'bad-config' })
  await bus.open({ ...POSITIONS, name: 'swarm.others' })
  await assert.rejects(open(bus, store, { source: { bus, topic: 'swarm.others' } }), { code: 'bad-config' })
  await assert.rejects(open(bus, store, { source: { bus, topic: 'swarm.nothing' } }), { code: 'not-found' })
  await bus.open({ name: 'swarm.whispers', intent: 'notice' })
  const whispers = { bus, topic: 'swarm.whispers' }
  await assert.rejects(open(bus, await openStore(), { source: whispers }), { code: 'unsupported' })
})

test('a damaged or missing object of the archive is an error that names it', async (t) => {
  const [bus, store] = [await openMemory(t), await openStore()]
  await bus.writer(TOPIC).write(reports(100))
  await archiveAll(bus, store)
  const [, { segment } = {} as ArchiveRecord] = await records(store)
  const whole = await store.get(segment!.name)
  const bytes = Uint8Array.from(whole)
  bytes[bytes.length >> 1]! ^= 1
  await store.put(segment!.name, bytes)
  const namesIt = (name: string) => (error: SkeinError) => error.code === 'corrupt' && error.details.object === name
  await assert.rejects(rows(store), namesIt(segment!.name))
  await store.put(segment!.name, forged(whole))
  await assert.rejects(rows(store), namesIt(segment!.name))
  await store.delete(segment!.name)
  await assert.rejects(rows(store), namesIt(segment!.name))
  const record = await store.get(recordName(2))
  const changed = Buffer.from(record).toString().replace('"messages":100', '"messages":101')
  await store.put(recordName(2), Buffer.from(changed))
  await assert.rejects(records(store), namesIt(recordName(2)))
})

function bound(store: ObjectStore): ObjectStore {
  return {
    put: (name, bytes) => store.put(name, bytes),
    create: (name, bytes) => store.create(name, bytes),
    get: (name) => store.get(name),
    stat: (name) => store.stat(name),
    delete: (name) => store.delete(name),
    list: (prefix) => store.list(prefix),
  }
}

/** Another segment of the same length that can be decompressed as well: one message has another number. */
function forged(segment: Uint8Array): Uint8Array {
  const text = gunzipSync(segment).toString()
  for (const { index } of text.matchAll(/(?<="number":)\d/g)) {
    for (const digit of '123456789') {
      if (text[index] === digit) continue
      const changed = gzipSync(text.slice(0, index) + digit + text.slice(index + 1), { level: 3 })
      if (changed.byteLength === segment.byteLength) return changed
    }
  }
  throw new Error('no change of one digit leaves the length as it is')
}

/** A store that does nothing more before, or behind, a certain one of the calls that change it. */
function dyingAt(store: ObjectStore, at: { readonly step: number; readonly when: 'before' | 'behind' }): ObjectStore {
  let steps = 0
  const change = async <Result>(action: () => Promise<Result>): Promise<Result> => {
    steps += 1
    if (steps > at.step || (steps === at.step && at.when === 'before')) throw new SkeinError('closed', 'Cannot: dead')
    const result = await action()
    if (steps >= at.step) throw new SkeinError('closed', 'Cannot: dead')
    return result
  }
  return {
    ...bound(store),
    put: (name, bytes) => change(() => store.put(name, bytes)),
    create: (name, bytes) => change(() => store.create(name, bytes)),
    delete: (name) => change(() => store.delete(name)),
  }
}
