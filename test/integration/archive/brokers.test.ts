import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { openEmbeddedBus } from '../../../src/bus/drivers/embedded/index.ts'
import { connectKafkaBus } from '../../../src/bus/drivers/kafka/index.ts'
import { connectNatsBus } from '../../../src/bus/drivers/nats/index.ts'
import { connectRabbitmqBus } from '../../../src/bus/drivers/rabbitmq/index.ts'
import type { Bus, Message } from '../../../src/bus/index.ts'
import { memoryDisk } from '../../../src/core/index.ts'
import { systemClock, systemDisk, systemRandom } from '../../../src/core/system/index.ts'
import { type ObjectStore, openDirectoryStore, openS3Store } from '../../../src/objects/index.ts'
import {
  type ArchiveOptions,
  openArchive,
  readToEnd,
  restoreArchive,
  verifyArchive,
} from '../../../src/transfer/index.ts'
import { atEnd } from '../../at-end.ts'
import { requireService } from '../../services/require-service.ts'
import { makeBucket } from '../objects/s3-bucket.ts'

const machine = { clock: systemClock, random: systemRandom }
const TOPIC = 'archived.positions'
const s3 = await requireService('s3')

const BROKERS = [
  {
    name: 'Kafka',
    service: await requireService('kafka'),
    connect: (url: string) => connectKafkaBus({ url, ...machine }),
  },
  {
    name: 'JetStream',
    service: await requireService('nats'),
    connect: (url: string) => connectNatsBus({ url, ...machine }),
  },
  {
    name: 'RabbitMQ',
    service: await requireService('rabbitmq'),
    connect: (url: string) => connectRabbitmqBus({ url, ...machine }),
  },
]

/** Text, JSON and bytes under keys, with headers, ids and times of their own. */
function reports(count: number, first = 0): Message[] {
  return Array.from({ length: count }, (_, index) => {
    const number = first + index
    const key = `drone-${number % 11}`
    const value = number % 3 === 0 ? Uint8Array.of(255, number & 255, 0, 10) : `{"drone":"${key}","number":${number}}`
    return {
      ...{ subject: `${TOPIC}.${key}`, key, value, id: `id-${number}` },
      headers: { about: key, number: `№ ${number}` },
      timestampMs: 1_700_000_000_000 + number,
    }
  })
}

/** Of each key, in order: a digest of all that its messages are. */
function digests(messages: ReadonlyArray<Omit<Message, 'value'> & { readonly value: Uint8Array | string | null }>) {
  const found: Record<string, string[]> = {}
  for (const { key = '', subject, value, headers = {}, id, timestampMs } of messages) {
    const own = Object.entries(headers).filter(([name]) => name !== 'id' && !name.startsWith('skein'))
    found[key] ??= []
    const bytes = value === null ? null : Buffer.from(value).toString('hex')
    found[key].push(JSON.stringify([subject, bytes, own.sort(), id, timestampMs]))
  }
  const digest = (texts: string[]) => `${texts.length} ${createHash('sha256').update(texts.join()).digest('hex')}`
  return Object.fromEntries(
    Object.entries(found)
      .map(([key, texts]) => [key, digest(texts)])
      .sort(),
  )
}

async function contents(bus: Bus) {
  const { partitions } = await bus.admin.describeTopic(TOPIC)
  const batches = await Array.fromAsync(readToEnd(bus, TOPIC, { from: partitions.map(({ start }) => start) }))
  return digests(batches.flat())
}

async function archiveAll(bus: Bus, store: ObjectStore, more: Partial<ArchiveOptions> = {}) {
  const archive = await openArchive({
    source: { bus, topic: TOPIC },
    store,
    segmentBytes: 100_000,
    ...machine,
    ...more,
  })
  await archive.run({ untilEnd: true })
  return archive.status()
}

async function openEmbedded(t: TestContext): Promise<Bus> {
  const bus = await openEmbeddedBus({ disk: memoryDisk(), directory: 'data', ...machine })
  atEnd(t, () => bus.close())
  return bus
}

async function temporary(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'skein-archive-'))
  atEnd(t, () => rm(folder, { recursive: true, force: true }))
  return folder
}

/** Archived in two runs while it grows, verified, and restored into an embedded log: the same in every byte. */
async function thereAndBack(t: TestContext, bus: Bus, store: ObjectStore): Promise<void> {
  await bus.open({ name: TOPIC, intent: 'telemetry', durability: 'written', partitions: 3 })
  const writer = bus.writer(TOPIC)
  await writer.write(reports(3_000))
  assert.equal((await archiveAll(bus, store)).messages, 3_000)
  for (let first = 3_000; first < 5_000; first += 500) await writer.write(reports(500, first))
  const { archived, messages, segments, gaps } = await archiveAll(bus, store)
  assert.deepEqual([archived, messages, gaps], [2_000, 5_000, 0])
  assert.ok(segments > 4, String(segments))
  assert.equal((await archiveAll(bus, store)).archived, 0)
  const verified = await verifyArchive(store)
  assert.deepEqual([verified.messages, verified.damaged, verified.orphans], [5_000, [], 0])
  const there = await openEmbedded(t)
  const target = { bus: there }
  const { restored } = await restoreArchive({ store, target, create: true, durability: 'none', ...machine })
  assert.equal(restored, 5_000)
  assert.deepEqual(await contents(there), digests(reports(5_000)))
  // And back into a broker, under the same name, once the topic is gone.
  await bus.admin.deleteTopic(TOPIC)
  const back = { store, target: { bus }, create: true, durability: 'written', ...machine } as const
  assert.equal((await restoreArchive(back)).restored, 5_000)
  assert.equal((await restoreArchive(back)).repeats, 5_000)
  assert.deepEqual(await contents(bus), digests(reports(5_000)))
  await assert.rejects(archiveAll(bus, store), { code: 'position-gone' })
}

for (const { name, service, connect } of BROKERS) {
  const { skip } = service
  test(`a topic of ${name} is archived in a directory, and restored the same in every byte`, {
    skip,
  }, async (t) => {
    const running = await service.start()
    atEnd(t, () => running.stop())
    const bus = await connect(running.url)
    atEnd(t, () => bus.close())
    const store = await openDirectoryStore({ disk: systemDisk(), directory: join(await temporary(t), 'archive') })
    await thereAndBack(t, bus, store)
  })
}

test('a topic of the embedded log is archived in S3 through a restart of the server, and restored the same', {
  skip: s3.skip,
}, async (t) => {
  const service = await s3.start({ mortal: true })
  atEnd(t, () => service.stop())
  const options = await makeBucket(service.url, 'archives')
  const store = await openS3Store({ ...options, prefix: 'positions/' })
  atEnd(t, () => store.close())
  const bus = await openEmbedded(t)
  await bus.open({ name: TOPIC, intent: 'telemetry', durability: 'none', partitions: 3 })
  await bus.writer(TOPIC).write(reports(5_000))
  const problems: string[] = []
  const archive = await openArchive({
    ...{ source: { bus, topic: TOPIC }, store, segmentBytes: 20_000, ...machine },
    onProblem: ({ code }) => problems.push(code),
  })
  await service.nodes[0]!.kill()
  const running = archive.run({ untilEnd: true })
  await service.nodes[0]!.start()
  await running
  assert.ok(
    problems.every((code) => code === 'connection-lost'),
    problems.join(),
  )
  // Of several that take over at once some are told; none writes beside another.
  const several = Array.from({ length: 3 }, () => archiveAll(bus, store, { takeOver: true }))
  for (const result of await Promise.allSettled(several)) {
    if (result.status === 'rejected') assert.match(result.reason.code, /^(locked|fenced)$/)
  }
  const there = await openEmbedded(t)
  const report = await restoreArchive({ store, target: { bus: there }, create: true, durability: 'none', ...machine })
  assert.equal(report.restored, 5_000)
  assert.deepEqual(await contents(there), digests(reports(5_000)))
})
