import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { until } from '../../../test/until.ts'
import { requireService } from '../../services/require-service.ts'
import { S3_ACCESS_KEY, S3_SECRET_KEY } from '../../services/versitygw.ts'
import { makeBucket } from '../objects/s3-bucket.ts'
import { skein, skeinJson, spawnSkein, startNode, temporaryDirectory } from './skein.ts'

const TOPIC = 'swarm.sightings'
const LINES = Array.from({ length: 300 }, (_, number) => `sighting ${number}`)
const s3 = await requireService('s3')

interface Run {
  readonly archives: ReadonlyArray<{
    readonly messages: number
    readonly archived: number
    readonly lagMessages: number
  }>
}

interface Verified {
  readonly messages: number
  readonly segments: number
  readonly damaged: ReadonlyArray<{ readonly object: string }>
}

const publish = (t: TestContext, url: string, lines = LINES) =>
  skeinJson(t, ['pub', TOPIC, '--lines', '--key', 'target-1', '--url', url], lines.join('\n'))

async function textsOf(t: TestContext, url: string, topic = TOPIC): Promise<readonly string[]> {
  const { stdout } = await skein(t, ['sub', topic, '--from', 'earliest', '--until', 'end', '--json', '--url', url])
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line).text)
}

async function archiveAll(t: TestContext, place: string, url: string) {
  const { archives } = await skeinJson<Run>(t, [
    'archive',
    'run',
    place,
    '--from',
    url,
    '--topic',
    TOPIC,
    '--until',
    'end',
  ])
  return archives[0]!
}

test('skein archive keeps a topic in a directory, shows, lists and verifies it, and restores it into another node', async (t) => {
  const [here, there] = [
    await startNode(t, await temporaryDirectory(t)),
    await startNode(t, await temporaryDirectory(t)),
  ]
  const place = join(await temporaryDirectory(t), 'archive')
  await publish(t, here.url)
  const first = await archiveAll(t, place, here.url)
  assert.deepEqual([first.messages, first.lagMessages], [300, 0])
  assert.equal((await archiveAll(t, place, here.url)).archived, 0)
  const shown = await skeinJson<{ messages: number; topic: string }>(t, ['archive', 'show', place])
  assert.deepEqual([shown.messages, shown.topic], [300, TOPIC])
  const listed = await skein(t, ['archive', 'list', place, '--json'])
  const segments = listed.stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line).segment)
  assert.equal(
    segments.reduce((sum, { messages }) => sum + messages, 0),
    300,
  )
  const verified = await skeinJson<Verified>(t, ['archive', 'verify', place])
  assert.deepEqual([verified.messages, verified.damaged], [300, []])
  const restored = await skeinJson<{ restored: number }>(t, [
    'archive',
    'restore',
    place,
    '--to',
    there.url,
    '--create',
  ])
  assert.equal(restored.restored, 300)
  assert.deepEqual(await textsOf(t, there.url), LINES)
  const again = ['archive', 'restore', place, '--to', there.url]
  assert.equal((await skeinJson<{ restored: number }>(t, again)).restored, 0)

  const bytes = await readFile(join(place, segments[0].name))
  bytes[bytes.length >> 1]! ^= 1
  await writeFile(join(place, segments[0].name), bytes)
  const damaged = await skein(t, ['archive', 'verify', place, '--json'])
  assert.equal(damaged.code, 14)
  assert.equal((JSON.parse(damaged.stdout) as Verified).damaged[0]!.object, segments[0].name)
  const refused = await skein(t, [...again, '--to-topic', 'swarm.copy', '--create'])
  assert.deepEqual([refused.code, refused.stderr.includes(segments[0].name)], [14, true])
})

test('skein archive says what is wrong with its arguments, and where there is no archive', async (t) => {
  const here = await startNode(t, await temporaryDirectory(t))
  const folder = await temporaryDirectory(t)
  const codeOf = async (...argv: string[]) => (await skein(t, ['archive', ...argv])).code
  assert.equal(await codeOf('run', folder), 2)
  assert.equal(await codeOf('run', folder, '--from', here.url, '--topic', 'swarm.nothing'), 4)
  assert.equal(await codeOf('run', 'ftp://somewhere/else', '--from', here.url, '--topic', TOPIC), 2)
  for (const command of ['show', 'list', 'verify']) {
    assert.equal(await codeOf(command, folder), 4, command)
    assert.equal(await codeOf(command, join(folder, 'nowhere')), 4, command)
  }
  assert.equal(await codeOf('restore', folder, '--to', here.url), 4)
})

test('an archiver that is killed in mid-stream, and another after it, archive everything once; a second one is refused', async (t) => {
  const [here, there] = [
    await startNode(t, await temporaryDirectory(t)),
    await startNode(t, await temporaryDirectory(t)),
  ]
  const place = join(await temporaryDirectory(t), 'archive')
  const lines: string[] = []
  const more = async () => {
    const some = Array.from({ length: 500 }, (_, index) => `sighting ${lines.length + index} ${'x'.repeat(100)}`)
    lines.push(...some)
    await publish(t, here.url, some)
  }
  const stored = async () => {
    const shown = await skein(t, ['archive', 'show', place, '--json'])
    return shown.code === 0 ? (JSON.parse(shown.stdout).messages as number) : 0
  }
  await more()
  const argv = ['archive', 'run', place, '--from', here.url, '--topic', TOPIC]
  const small = ['--segment-bytes', '4096', '--segment-age', '100ms']
  for (let kill = 0; kill < 2; kill += 1) {
    const before = await stored()
    const archiver = spawnSkein(t, [...argv, ...small, '--take-over'])
    await until(async () => (await stored()) > before, { withinMs: 60_000 })
    if (kill === 0) assert.equal((await skein(t, argv)).code, 11)
    await more()
    archiver.kill('SIGKILL')
    await once(archiver, 'exit')
  }
  const last = spawnSkein(t, [...argv, ...small, '--take-over'])
  await until(async () => (await stored()) === lines.length, { withinMs: 60_000 })
  last.kill('SIGINT')
  await once(last, 'exit')
  const verified = await skeinJson<Verified>(t, ['archive', 'verify', place, '--clean'])
  assert.deepEqual([verified.messages, verified.damaged], [lines.length, []])
  await skeinJson(t, ['archive', 'restore', place, '--to', there.url, '--create'])
  assert.deepEqual(await textsOf(t, there.url), lines)
})

test('a node runs the archives of its configuration, of its own topic into S3', { skip: s3.skip }, async (t) => {
  const service = await s3.start()
  t.after(() => service.stop())
  await makeBucket(service.url, 'backups')
  const folder = await temporaryDirectory(t)
  const place = `s3://backups/sightings?endpoint=${encodeURIComponent(service.url)}`
  const here = await startNode(t, await temporaryDirectory(t))
  await publish(t, here.url)
  const file = join(folder, 'skein.yaml')
  const from = { broker: here.url.replace('http://', 'skein://'), topic: TOPIC }
  const credentials = { accessKeyId: S3_ACCESS_KEY, secretAccessKey: 'env:ARCHIVE_SECRET' }
  const archives = [{ from, to: { place, credentials }, segmentAgeMs: 100 }]
  await writeFile(file, JSON.stringify({ data: join(folder, 'data'), listen: { port: 0 }, archives }))
  const environment = { ARCHIVE_SECRET: S3_SECRET_KEY }
  const node = spawnSkein(t, ['up', '--config', file], { environment })
  const shown = () => skein(t, ['archive', 'show', place, '--config', file, '--json'], { environment })
  await until(
    async () => {
      const { code, stdout } = await shown()
      return code === 0 && JSON.parse(stdout).messages === LINES.length
    },
    { withinMs: 60_000, everyMs: 300 },
  )
  node.kill('SIGTERM')
  await once(node, 'exit')
  const there = await startNode(t, await temporaryDirectory(t))
  const argv = ['archive', 'restore', place, '--config', file, '--to', there.url, '--create', '--json']
  assert.equal((await skein(t, argv, { environment })).code, 0)
  assert.deepEqual(await textsOf(t, there.url), LINES)
})
