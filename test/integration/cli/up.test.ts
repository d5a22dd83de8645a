import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { test } from 'node:test'
import { skein, startNode, temporaryDirectory } from './skein.ts'

test('skein up says once where it listens, answers its probes, and drains on SIGTERM', async (t) => {
  const node = await startNode(t, join(await temporaryDirectory(t), 'data'))
  assert.match(node.url, /^http:\/\/127\.0\.0\.1:\d+$/)
  for (const probe of ['live', 'ready', 'startup']) {
    const response = await fetch(`${node.url}/health/${probe}`)
    assert.equal(response.status, 200, probe)
    assert.equal(((await response.json()) as { ok: boolean }).ok, true)
  }
  assert.equal(await node.stop('SIGTERM'), 0)
  assert.equal(node.output.length, 1)
})

test('A second signal ends skein up at once, whatever still holds up its drain', async (t) => {
  const node = await startNode(t, await temporaryDirectory(t))
  const { port } = new URL(node.url)
  const unfinished = connect(Number(port), '127.0.0.1').on('error', () => {})
  unfinished.write(
    'POST /v1/commands HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{',
  )
  await once(unfinished, 'connect')
  const lines = createInterface({ input: node.child.stderr! })
  const exited = once(node.child, 'exit')
  node.child.kill('SIGINT')
  for await (const line of lines) if (JSON.parse(line).message === 'draining') break
  node.child.kill('SIGTERM')
  assert.equal((await exited)[0], 130)
})

test('skein up refuses a data directory that another node has, and a port that is taken', async (t) => {
  const directory = await temporaryDirectory(t)
  const node = await startNode(t, join(directory, 'one'))
  const locked = await skein(t, ['up', '--data', join(directory, 'one'), '--port', '0'])
  assert.equal(locked.code, 11)
  assert.match(locked.stderr, /\(locked\)/)
  const port = new URL(node.url).port
  const taken = await skein(t, ['up', '--data', join(directory, 'two'), '--port', port])
  assert.equal(taken.code, 10)
  assert.match(taken.stderr, new RegExp(`127\\.0\\.0\\.1:${port}.*\\(port-in-use\\)`))
  assert.equal((await fetch(`${node.url}/health/ready`)).status, 200)
})

test('skein up leaves no data directory behind when its port is taken', async (t) => {
  const directory = await temporaryDirectory(t)
  const occupier = createServer().listen(0, '127.0.0.1')
  await once(occupier, 'listening')
  t.after(() => occupier.close())
  const { port } = occupier.address() as { port: number }
  const data = join(directory, 'deep', 'data')
  assert.equal((await skein(t, ['up', '--data', data, '--port', String(port)])).code, 10)
  assert.deepEqual(await readdir(directory), [])
})

test('skein up releases what it took when it cannot start', async (t) => {
  const directory = await temporaryDirectory(t)
  const occupier = createServer().listen(0, '127.0.0.1')
  await once(occupier, 'listening')
  t.after(() => occupier.close())
  const { port } = occupier.address() as { port: number }
  assert.equal((await skein(t, ['up', '--data', directory, '--port', String(port)])).code, 10)
  await startNode(t, directory)
})

test('skein up refuses to listen beyond loopback', async (t) => {
  const ended = await skein(t, ['up', '--data', await temporaryDirectory(t), '--port', '0', '--host', '0.0.0.0'])
  assert.equal(ended.code, 5)
  assert.match(ended.stderr, /wider than loopback.*\(unauthorised\)/)
  assert.equal(ended.stdout, '')
})

test('skein up names file, line, key and the nearest valid key of a wrong configuration', async (t) => {
  const directory = await temporaryDirectory(t)
  const file = join(directory, 'skein.yaml')
  await writeFile(file, `data: ${join(directory, 'data')}\nlimits:\n  conections: 5\n`)
  const ended = await skein(t, ['up', '--config', file, '--json'])
  assert.equal(ended.code, 2)
  const { error } = JSON.parse(ended.stdout)
  assert.equal(error.code, 'bad-config')
  assert.deepEqual(error.details, { file, line: 3, key: 'limits.conections', nearest: 'connections' })
  assert.equal((await skein(t, ['up', '--config', join(directory, 'none.yaml')])).code, 4)
})

test('skein up takes its settings from the file, and opens the topics it names', async (t) => {
  const directory = await temporaryDirectory(t)
  const file = join(directory, 'skein.yaml')
  await writeFile(file, 'listen:\n  port: 1\ntopics:\n  - name: swarm.events\n    intent: event\n    partitions: 3\n')
  const node = await startNode(t, join(directory, 'data'), ['--config', file])
  const response = await fetch(`${node.url}/v1/topics/swarm.events`)
  const topic = (await response.json()) as { partitions: unknown[] }
  assert.equal(topic.partitions.length, 3)
})

test('skein up refuses data of a newer version, and leaves it alone', async (t) => {
  const directory = await temporaryDirectory(t)
  const node = await startNode(t, directory)
  await node.stop('SIGTERM')
  await writeFile(join(directory, 'format.json'), '{"format":"skein-data","version":99}\n')
  const ended = await skein(t, ['up', '--data', directory, '--port', '0'])
  assert.equal(ended.code, 13)
  assert.match(ended.stderr, /version 99.*\(future-version\)/)
})

test('skein up refuses a data directory whose format file is damaged, and leaves it alone', async (t) => {
  const directory = await temporaryDirectory(t)
  await writeFile(join(directory, 'format.json'), 'not a format')
  const ended = await skein(t, ['up', '--data', directory, '--port', '0'])
  assert.equal(ended.code, 14)
  assert.match(ended.stderr, /\(corrupt\)/)
  assert.equal(await readFile(join(directory, 'format.json'), 'utf8'), 'not a format')
})
