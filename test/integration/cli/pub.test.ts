import assert from 'node:assert/strict'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { type TestContext, test } from 'node:test'
import { skein, skeinJson, spawnSkein, startNode, temporaryDirectory } from './skein.ts'

const topicsOf = async (t: TestContext, url: string) =>
  (await skeinJson<{ topics: ReadonlyArray<{ topic: string }> }>(t, ['topics', '--url', url])).topics.map(
    ({ topic }) => topic,
  )

const textsOf = async (t: TestContext, url: string, topic: string) =>
  (await skein(t, ['sub', topic, '--from', 'earliest', '--until', 'end', '--json', '--url', url])).stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line).text)

/** Starts `skein pub` with this much of standard input, which stays open, and resolves when it reads. */
async function publishing(t: TestContext, url: string, argv: readonly string[], input: string) {
  const child = spawnSkein(t, ['pub', ...argv, '--json', '--url', url])
  const ended = Promise.all([text(child.stdout!), text(child.stderr!), once(child, 'exit')])
  // Longer than a pipe holds: all of it was handed over, so somebody is reading.
  const filler = Buffer.alloc(512 * 1024, ' ')
  await new Promise((resolve) => child.stdin!.write(Buffer.concat([filler, Buffer.from(input)]), resolve))
  child.stdin!.on('error', () => {})
  return {
    child,
    async end() {
      const [stdout, stderr, [code]] = await ended
      return { stdout, stderr, code }
    },
  }
}

test('Ctrl-C while standard input is open ends skein pub at once: nothing is published, and no topic made', async (t) => {
  const node = await startNode(t, await temporaryDirectory(t))
  for (const more of [[], ['--lines']]) {
    const { child, end } = await publishing(t, node.url, ['swarm.events', ...more], 'unfinished')
    child.kill('SIGINT')
    const { code } = await end()
    assert.equal(code, 130)
  }
  assert.deepEqual(await topicsOf(t, node.url), [])
})

test('An end of input that comes with Ctrl-C does not finish what was being written', async (t) => {
  const node = await startNode(t, await temporaryDirectory(t))
  for (const more of [[], ['--lines']]) {
    const { child, end } = await publishing(t, node.url, ['swarm.events', ...more], 'unfinished')
    child.stdin!.end()
    child.kill('SIGINT')
    const { code } = await end()
    assert.equal(code, 130)
  }
  assert.deepEqual(await topicsOf(t, node.url), [])
})

test('Of lines, an interrupted skein pub publishes those that were complete, and says that it was interrupted', async (t) => {
  const node = await startNode(t, await temporaryDirectory(t))
  const { child, end } = await publishing(t, node.url, ['a.b', '--lines'], '\nfirst\nsecond\nunfini')
  for (;;) {
    const response = await fetch(`${node.url}/v1/topics/a.b/messages?from=earliest&waitMs=1000`)
    if (response.ok && ((await response.json()) as { messages: unknown[] }).messages.length === 3) break
  }
  child.kill('SIGINT')
  const { code, stdout } = await end()
  assert.equal(code, 130)
  const { accepted, interrupted } = JSON.parse(stdout)
  assert.deepEqual({ accepted, interrupted }, { accepted: 3, interrupted: true })
  assert.deepEqual((await textsOf(t, node.url, 'a.b')).slice(1), ['first', 'second'])
})

test('No lines at all make no topic', async (t) => {
  const node = await startNode(t, await temporaryDirectory(t))
  const ended = await skein(t, ['pub', 'a.b', '--lines', '--url', node.url])
  assert.deepEqual([ended.code, ended.stderr], [0, '0 accepted, 0 duplicate\n'])
  assert.deepEqual(await topicsOf(t, node.url), [])
})

test('A value that was forgotten is no empty message: nothing is published, and no topic made', async (t) => {
  const node = await startNode(t, await temporaryDirectory(t))
  const ended = await skein(t, ['pub', 'swarm.events', '--url', node.url])
  assert.equal(ended.code, 1)
  assert.match(ended.stderr, /no value was given, and standard input is empty/)
  assert.deepEqual((await skeinJson<{ topics: unknown[] }>(t, ['topics', '--url', node.url])).topics, [])
  assert.equal((await skein(t, ['pub', 'swarm.events', '', '--url', node.url])).code, 0)
})

test('skein pub refuses a topic of commands, and names skein send', async (t) => {
  const node = await startNode(t, await temporaryDirectory(t))
  await skeinJson(t, ['topics', 'create', 'swarm.commands', '--intent', 'command', '--url', node.url])
  const ended = await skein(t, ['pub', 'swarm.commands', '{}', '--json', '--url', node.url])
  assert.equal(ended.code, 5)
  const { error } = JSON.parse(ended.stdout)
  assert.equal(error.code, 'unsupported')
  assert.match(error.message, /skein send TARGET COMMAND/)
})
