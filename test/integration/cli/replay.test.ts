import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { type TestContext, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { recording, skein, skeinJson, spawnSkein, startNode, temporaryDirectory } from './skein.ts'

interface Replayed {
  readonly topic: string
  readonly rows: number
  readonly acked: number
  readonly durability: string
  readonly digest: string
  readonly skipped?: number
  readonly skippedRows?: ReadonlyArray<{ readonly line: number; readonly reason: string }>
}

interface Subscribed {
  readonly rows: number
  readonly digest: string
}

const TOPIC = 'swarm.telemetry'

const readBack = (t: TestContext, url: string, topic = TOPIC) =>
  skeinJson<Subscribed>(t, ['sub', topic, '--from', 'earliest', '--until', 'end', '--digest', '--url', url])

/** The digest by its definition, from the text of the recording alone. */
function expectedDigest(csv: string): string {
  const [header, ...lines] = csv.trimEnd().split('\n')
  const names = header!.split(',')
  const text = new Set(['agent_id', 'agent_type', 'region'])
  const payloads = new Map<string, string>()
  for (const line of lines) {
    const cells = line.split(',')
    const filled = names.flatMap((name, index) => {
      const cell = cells[index]!
      return cell === '' ? [] : [[name, text.has(name) ? cell : Number(cell)] as const]
    })
    const key = cells[names.indexOf('agent_id')]!
    payloads.set(key, `${payloads.get(key) ?? ''}${JSON.stringify(Object.fromEntries(filled))}\n`)
  }
  const sha256 = (data: string) => createHash('sha256').update(data).digest('hex')
  return sha256(
    [...payloads.keys()]
      .sort()
      .map((key) => `${key} ${sha256(payloads.get(key)!)}\n`)
      .join(''),
  )
}

test('What skein replay publishes, skein sub reads back, also after kill -9 and a restart', async (t) => {
  const directory = await temporaryDirectory(t)
  const csv = recording({ rows: 20_000, agents: 37 })
  const file = join(directory, 'recording.csv.gz')
  await writeFile(file, gzipSync(csv))
  const node = await startNode(t, join(directory, 'data'))
  const replayed = await skeinJson<Replayed>(t, ['replay', file, '--speed', 'max', '--url', node.url])
  const digest = expectedDigest(csv)
  assert.deepEqual(replayed, { topic: TOPIC, rows: 20_000, acked: 20_000, durability: 'durable', digest })
  assert.deepEqual(await readBack(t, node.url), { rows: 20_000, digest })
  await node.stop('SIGKILL')
  const again = await startNode(t, join(directory, 'data'))
  assert.deepEqual(await readBack(t, again.url), { rows: 20_000, digest })
})

test('CSV from a file, from standard input and JSON lines of the same rows are the same messages', async (t) => {
  const directory = await temporaryDirectory(t)
  const csv = recording({ rows: 300, agents: 5 })
  const [header, ...lines] = csv.trimEnd().split('\n')
  const names = header!.split(',')
  const objects = lines.map((line) => Object.fromEntries(line.split(',').map((cell, index) => [names[index], cell])))
  await writeFile(join(directory, 'a.csv'), csv)
  await writeFile(join(directory, 'a.jsonl'), objects.map((object) => JSON.stringify(object)).join('\n'))
  const node = await startNode(t, join(directory, 'data'))
  const to = (topic: string) => ['--speed', 'max', '--url', node.url, '--subject', `${topic}.{region}.{agent_id}`]
  const results = [
    await skeinJson<Replayed>(t, ['replay', join(directory, 'a.csv'), ...to('one')]),
    await skeinJson<Replayed>(t, ['replay', join(directory, 'a.jsonl'), ...to('two')]),
    await skeinJson<Replayed>(t, ['replay', '-', ...to('three')], csv),
  ]
  assert.deepEqual(
    results.map(({ topic, acked }) => [topic, acked]),
    [
      ['one', 300],
      ['two', 300],
      ['three', 300],
    ],
  )
  assert.deepEqual(new Set(results.map(({ digest }) => digest)), new Set([expectedDigest(csv)]))
  assert.equal((await readBack(t, node.url, 'two')).digest, expectedDigest(csv))
})

test('A bad row ends skein replay with its line; --skip-bad counts it and goes on', async (t) => {
  const directory = await temporaryDirectory(t)
  const lines = recording({ rows: 20, agents: 3 }).trimEnd().split('\n')
  lines.splice(5, 0, 'not a row')
  const file = join(directory, 'bad.csv')
  await writeFile(file, lines.join('\n'))
  const node = await startNode(t, join(directory, 'data'))
  const ended = await skein(t, ['replay', file, '--speed', 'max', '--json', '--url', node.url])
  assert.equal(ended.code, 1)
  const { error } = JSON.parse(ended.stdout.trim())
  assert.equal(error.code, 'bad-input')
  assert.deepEqual(error.details, { file, line: 6, acked: 4 })
  const skipping = await skeinJson<Replayed>(t, ['replay', file, '--speed', 'max', '--skip-bad', '--url', node.url])
  assert.equal(skipping.acked, 20)
  assert.equal(skipping.skipped, 1)
  assert.deepEqual(skipping.skippedRows, [{ line: 6, reason: 'it has 1 cells where the header names 11' }])
})

test('An unclosed quote leaves out its own row alone, and people are told which, and why', async (t) => {
  const lines = recording({ rows: 50, agents: 3 }).trimEnd().split('\n')
  lines.splice(3, 0, lines[3]!.replace(',', ',"'))
  const node = await startNode(t, await temporaryDirectory(t))
  const ended = await skein(t, ['replay', '-', '--speed', 'max', '--skip-bad', '--url', node.url], {
    input: lines.join('\n'),
  })
  assert.equal(ended.code, 0)
  assert.match(ended.stderr, /50 rows to swarm.telemetry/)
  assert.match(ended.stderr, /1 row left out\n {2}line 4: a quote that opens in it is never closed/)
})

test('A gzip that is cut off says how many rows were published before, and publishes those', async (t) => {
  const node = await startNode(t, await temporaryDirectory(t))
  const packed = gzipSync(recording({ rows: 50_000, agents: 7 }))
  const argv = ['replay', '-', '--speed', 'max', '--json', '--url', node.url]
  const ended = await skein(t, argv, { input: packed.subarray(0, packed.length >> 1) })
  assert.equal(ended.code, 1)
  const { error } = JSON.parse(ended.stdout)
  assert.equal(error.code, 'bad-input')
  assert.ok(error.details.acked > 0)
  assert.match(error.message, new RegExp(`The ${error.details.acked} rows before that are published`))
  assert.equal((await readBack(t, node.url)).rows, error.details.acked)
})

test('A replay of standard input that is still open ends at once when interrupted', async (t) => {
  const node = await startNode(t, await temporaryDirectory(t))
  const child = spawnSkein(t, ['replay', '-', '--speed', 'max', '--url', node.url])
  const ended = Promise.all([text(child.stderr!), once(child, 'exit')])
  const rows = recording({ rows: 5_000, agents: 3 })
  child.stdin!.on('error', () => {})
  child.stdin!.write(`${rows}unfinished,`)
  for (;;) {
    const response = await fetch(`${node.url}/v1/topics/${TOPIC}/messages?from=earliest&waitMs=1000`)
    if (response.ok && ((await response.json()) as { messages: unknown[] }).messages.length > 0) break
  }
  child.kill('SIGINT')
  const [stderr, [code]] = await ended
  assert.equal(code, 130)
  assert.match(stderr, /rows to swarm.telemetry, .*; interrupted/)
})

test('skein replay at a multiple of the recorded speed takes that part of the recorded time', async (t) => {
  const directory = await temporaryDirectory(t)
  const csv = ['t_s,agent_id,region', '100,a,r', '100.5,a,r', '99,a,r', '104,a,r'].join('\n')
  const node = await startNode(t, join(directory, 'data'))
  const startedAtMs = performance.now()
  const result = await skeinJson<Replayed>(t, ['replay', '-', '--speed', '4', '--url', node.url], csv)
  const tookMs = performance.now() - startedAtMs
  assert.equal(result.acked, 4)
  assert.ok(tookMs >= 1_000, `4 recorded seconds at speed 4 took ${tookMs} ms`)
})

test('A replay that is interrupted tells what was acknowledged until then, and exits with 130', async (t) => {
  const directory = await temporaryDirectory(t)
  const node = await startNode(t, join(directory, 'data'))
  const child = spawnSkein(t, ['replay', '-', '--speed', '1', '--json', '--url', node.url])
  child.stdin!.end(['t_s,agent_id,region', '0,a,r', '0,a,r', '9999,a,r'].join('\n'))
  // The rows that are due are stored before the long wait for the last one begins.
  for (;;) {
    const response = await fetch(`${node.url}/v1/topics/${TOPIC}/messages?from=earliest&waitMs=1000`)
    if (response.ok && ((await response.json()) as { messages: unknown[] }).messages.length === 2) break
  }
  child.kill('SIGINT')
  const [output, [code]] = await Promise.all([text(child.stdout!), once(child, 'exit')])
  assert.equal(code, 130)
  const { rows, acked, interrupted } = JSON.parse(output)
  assert.deepEqual({ rows, acked, interrupted }, { rows: 2, acked: 2, interrupted: true })
})

test('A file of which nothing can be used leaves no topic behind', async (t) => {
  const node = await startNode(t, join(await temporaryDirectory(t), 'data'))
  for (const [input, says, more] of [
    ['t_s,agentid,region\n1,a,b\n', /no column "agent_id"/, []],
    ['', /empty/, []],
    ['{"t_s":1}\n', /line 1 of -: .*Nothing was published/, []],
    ['{"t_s":1}\n{"t_s":2}\n', /none of its 2 rows can be used. The first, on line 1/, ['--skip-bad']],
    [gzipSync('t_s,agent_id,region\n').subarray(0, -9), /gzip/, []],
  ] as const) {
    const ended = await skein(t, ['replay', '-', '--speed', 'max', '--url', node.url, ...more], { input })
    assert.equal(ended.code, 1)
    assert.match(ended.stderr, says)
  }
  assert.deepEqual((await skeinJson<{ topics: unknown[] }>(t, ['topics', '--url', node.url])).topics, [])
})

test('A recording without rows is a topic without messages, and the result says what receipts would have said', async (t) => {
  const node = await startNode(t, join(await temporaryDirectory(t), 'data'))
  for (const [asked, said] of [
    ['durable', 'durable'],
    ['written', 'written'],
    ['safe', 'durable'],
  ] as const) {
    const argv = ['replay', '-', '--speed', 'max', '--durability', asked, '--url', node.url]
    const result = await skeinJson<Replayed>(t, argv, 't_s,agent_id,region\n')
    assert.deepEqual([result.topic, result.rows, result.acked, result.durability], [TOPIC, 0, 0, said])
  }
  assert.equal((await readBack(t, node.url)).rows, 0)
})

test('skein replay says what is wrong with its file', async (t) => {
  const directory = await temporaryDirectory(t)
  const missing = await skein(t, ['replay', join(directory, 'none.csv')])
  assert.equal(missing.code, 4)
  const node = await startNode(t, join(directory, 'data'))
  const columns = await skein(t, ['replay', '-', '--speed', 'max', '--url', node.url], {
    input: 't_s,agentid,region\n1,a,b\n',
  })
  assert.equal(columns.code, 1)
  assert.match(columns.stderr, /no column "agent_id".*did you mean "agentid"/)
  const numbers = await skein(t, ['replay', '-', '--speed', 'max', '--numbers', 't_s,baterry', '--url', node.url], {
    input: 't_s,agent_id,region,battery\n1,a,b,0.5\n',
  })
  assert.equal(numbers.code, 1)
  assert.match(numbers.stderr, /no column "baterry" for the numbers \(--numbers\); did you mean "battery"/)
  const packed = gzipSync(recording({ rows: 50, agents: 2 }))
  const cut = await skein(t, ['replay', '-', '--speed', 'max', '--url', node.url], { input: packed.subarray(0, -9) })
  assert.equal(cut.code, 1)
  assert.match(cut.stderr, /gzip.*damaged or incomplete/)
})
