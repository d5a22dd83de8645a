import assert from 'node:assert/strict'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { test } from 'node:test'
import { skein, skeinJson, spawnSkein, startNode, temporaryDirectory } from './skein.ts'

const COMMANDS = ['up', 'pub', 'sub', 'replay', 'send', 'agents', 'topics', 'lag', 'dlq', 'doctor']

test('Every command has examples and --json in its help', async (t) => {
  const help = await skein(t, ['--help'])
  assert.equal(help.code, 0)
  for (const command of COMMANDS) {
    assert.match(help.stdout, new RegExp(`^  ${command}\\b`, 'm'))
    const own = await skein(t, [command, ...(['topics', 'dlq'].includes(command) ? ['list'] : []), '--help'])
    assert.equal(own.code, 0, command)
    assert.match(own.stdout, /Examples:\n {2}\$ skein /, command)
    assert.match(own.stdout, /--json/, command)
  }
})

test('Wrong usage exits with 2 and proposes what was meant', async (t) => {
  const unknown = await skein(t, ['topcs'])
  assert.equal(unknown.code, 2)
  assert.match(unknown.stderr, /Did you mean topics/)
  assert.equal(unknown.stdout, '')
  for (const argv of [
    ['topic', '--json'],
    ['topics', '--colour', '--json'],
    ['pub', '--json'],
  ]) {
    const ended = await skein(t, argv)
    assert.equal(ended.code, 2)
    const { error } = JSON.parse(ended.stdout.trim().split('\n').at(-1)!)
    assert.equal(error.code, 'bad-argument')
    assert.match(error.message, /topic|colour|argument/)
  }
  for (const argv of [
    ['sub'],
    ['sub', 'a', '--from', 'yesterday'],
    ['up', '--port', '99999'],
    ['replay', 'x', '--speed', '0'],
  ]) {
    assert.equal((await skein(t, argv)).code, 2, argv.join(' '))
  }
})

test('A node that is not there is connection-lost, exit 3, without a stack', async (t) => {
  for (const argv of [['topics'], ['sub', 'a'], ['agents'], ['lag'], ['pub', 'a', 'x']]) {
    const ended = await skein(t, [...argv, '--url', 'skein://127.0.0.1:9', '--connect-timeout', '200ms'])
    assert.equal(ended.code, 3, `${argv.join(' ')}: ${ended.stderr}`)
    assert.match(ended.stderr, /127\.0\.0\.1:9.*\(connection-lost\)/)
    assert.doesNotMatch(ended.stderr, /\n {4}at /)
  }
})

test('skein sub says which places a topic has when it is sent to one that it does not have', async (t) => {
  const node = await startNode(t, await temporaryDirectory(t))
  const at = ['--url', node.url]
  await skeinJson(t, ['pub', 'swarm.events', 'x', ...at])
  for (const [place, code, says] of [
    ['99:1', 2, /its only partition is 0/],
    ['0:2', 1, /that partition ends at 1/],
    ['0:0,0:1', 2, /named twice/],
  ] as const) {
    const ended = await skein(t, ['sub', 'swarm.events', '--from', place, '--until', 'end', ...at])
    assert.equal(ended.code, code, place)
    assert.match(ended.stderr, says)
  }
  assert.equal((await skein(t, ['sub', 'swarm.events', '--from', '0:1', '--until', 'end', ...at])).code, 0)
})

test('A topic that is not there is told with the nearest there is, and with the command that makes it', async (t) => {
  const node = await startNode(t, await temporaryDirectory(t))
  const at = ['--url', node.url]
  await skeinJson(t, ['pub', 'swarm.events', 'x', ...at])
  for (const argv of [
    ['sub', 'swarm.evnts'],
    ['lag', 'swarm.evnts'],
    ['dlq', 'list', 'swarm.evnts'],
    ['dlq', 'replay', 'swarm.evnts'],
    ['topics', 'show', 'swarm.evnts'],
    ['topics', 'delete', 'swarm.evnts', '--yes'],
  ]) {
    const ended = await skein(t, [...argv, '--json', ...at])
    assert.equal(ended.code, 4, argv.join(' '))
    const { error } = JSON.parse(ended.stdout)
    assert.match(error.message, /Did you mean "swarm\.events"\?/, argv.join(' '))
    assert.match(error.message, /"skein topics create swarm\.evnts --url http:/, argv.join(' '))
    assert.deepEqual(error.details, { topic: 'swarm.evnts', nearest: 'swarm.events' })
  }
  const printed = /"skein (topics create .*)" makes it/.exec((await skein(t, ['sub', 'other', ...at])).stderr)![1]!
  assert.equal((await skein(t, printed.split(' '))).code, 0)
  assert.equal((await skein(t, ['sub', 'other', '--from', 'earliest', '--until', 'end', ...at])).code, 0)
})

test('skein pub and skein sub carry subject, key, headers and text', async (t) => {
  const node = await startNode(t, await temporaryDirectory(t))
  const at = ['--url', node.url]
  const first = await skeinJson<Record<string, unknown>>(t, [
    'pub',
    'swarm.events',
    '{"n":1}',
    '--subject',
    'swarm.events.sighting',
    '--key',
    't1',
    '--header',
    'colour=red',
    '--id',
    'e1',
    ...at,
  ])
  assert.deepEqual(
    { accepted: first.accepted, duplicates: first.duplicates, durability: first.durability },
    { accepted: 1, duplicates: 0, durability: 'durable' },
  )
  const repeated = await skeinJson<Record<string, unknown>>(t, ['pub', 'swarm.events', '{"n":1}', '--id', 'e1', ...at])
  assert.deepEqual([repeated.accepted, repeated.duplicates], [0, 1])
  await skeinJson(t, ['pub', 'swarm.events', '--lines', ...at], 'plain text\nzwölf\n')
  const ended = await skein(t, ['sub', 'swarm.events', '--from', 'earliest', '--until', 'end', '--json', ...at])
  const messages = ended.stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))
  assert.equal(messages.length, 3)
  assert.deepEqual(
    [messages[0].subject, messages[0].key, messages[0].value, messages[0].id],
    ['swarm.events.sighting', 't1', { n: 1 }, 'e1'],
  )
  assert.equal(messages[0].headers.colour, 'red')
  assert.deepEqual(
    messages.slice(1).map((message) => message.text),
    ['plain text', 'zwölf'],
  )
  const filtered = await skein(t, [
    'sub',
    'swarm.events',
    '--from',
    'earliest',
    '--until',
    'end',
    '--subject',
    'swarm.events.*',
    ...at,
  ])
  assert.equal(filtered.stdout, 'swarm.events.sighting\tt1\t{"n":1}\n')
})

test('A group goes on where it was, and its lag can fail a script', async (t) => {
  const node = await startNode(t, await temporaryDirectory(t))
  const at = ['--url', node.url]
  await skeinJson(t, ['pub', 'a.b', '--lines', ...at], '1\n2\n3\n4\n')
  const read = async (count: string) => (await skein(t, ['sub', 'a.b', '--group', 'g', '--count', count, ...at])).stdout
  assert.equal(await read('1'), 'a.b\t-\t1\n')
  assert.equal(await read('2'), 'a.b\t-\t2\na.b\t-\t3\n')
  const { lag } = await skeinJson<{ lag: Array<{ messages: number }> }>(t, ['lag', 'a.b', '--group', 'g', ...at])
  for (const topic of [['a.b'], []]) {
    const misspelt = await skein(t, ['lag', ...topic, '--group', 'gg', ...at])
    assert.equal(misspelt.code, 4)
    assert.match(misspelt.stderr, /group "gg".* never read.*; did you mean "g"\?/)
  }
  assert.deepEqual(
    lag.map(({ messages }) => messages),
    [1],
  )
  assert.equal((await skein(t, ['lag', 'a.b', '--fail-over', '1ms', ...at])).code, 1)
  assert.equal((await skein(t, ['lag', 'a.b', '--fail-over', '1h', ...at])).code, 0)
})

test('Topics are made, shown, checked and deleted', async (t) => {
  const node = await startNode(t, await temporaryDirectory(t))
  const at = ['--url', node.url]
  await skeinJson(t, [
    'topics',
    'create',
    'a.b',
    '--intent',
    'telemetry',
    '--partitions',
    '3',
    '--durability',
    'durable',
    ...at,
  ])
  const { topics } = await skeinJson<{ topics: Array<{ spec: { name: string }; partitions: unknown[] }> }>(t, [
    'topics',
    ...at,
  ])
  assert.deepEqual(
    topics.map(({ spec, partitions }) => [spec.name, partitions.length]),
    [['a.b', 3]],
  )
  const differs = await skein(t, ['topics', 'create', 'a.b', '--intent', 'telemetry', '--partitions', '4', ...at])
  assert.equal(differs.code, 2)
  assert.match(differs.stderr, /partitions/)
  assert.equal((await skein(t, ['topics', 'show', 'nowhere', ...at])).code, 4)
  assert.equal((await skein(t, ['sub', 'nowhere', ...at])).code, 4)
  assert.equal((await skein(t, ['topics', 'delete', 'a.b', ...at])).code, 2)
  await skeinJson(t, ['topics', 'delete', 'a.b', '--yes', ...at])
  assert.deepEqual((await skeinJson<{ topics: unknown[] }>(t, ['topics', ...at])).topics, [])
})

test('skein sub ends quietly when nobody reads its output any more', async (t) => {
  const node = await startNode(t, await temporaryDirectory(t))
  await skeinJson(t, ['pub', 'a.b', '--lines', '--url', node.url], 'x\n'.repeat(50_000))
  const child = spawnSkein(t, ['sub', 'a.b', '--from', 'earliest', '--url', node.url])
  const errors: Buffer[] = []
  child.stderr!.on('data', (chunk) => errors.push(chunk))
  await once(createInterface({ input: child.stdout! }), 'line')
  child.stdout!.destroy()
  const [code] = await once(child, 'exit')
  assert.equal(code, 0)
  assert.equal(Buffer.concat(errors).toString(), '')
})

test('Ctrl-C ends a subscription that has no end, with 0', async (t) => {
  const node = await startNode(t, await temporaryDirectory(t))
  await skeinJson(t, ['pub', 'a.b', 'x', '--url', node.url])
  const child = spawnSkein(t, ['sub', 'a.b', '--from', 'earliest', '--url', node.url])
  await once(child.stdout!, 'data')
  child.kill('SIGINT')
  assert.equal((await once(child, 'exit'))[0], 0)
})

test('An unknown agent is refused before anything is sent', async (t) => {
  const node = await startNode(t, await temporaryDirectory(t))
  const ended = await skein(t, ['send', 'drone-7', 'land', '--json', '--url', node.url])
  assert.equal(ended.code, 4)
  assert.equal(JSON.parse(ended.stdout.trim()).error.code, 'unknown-agent')
  assert.match(ended.stderr, /\(unknown-agent\)/)
  assert.deepEqual(await skeinJson(t, ['agents', '--url', node.url]), { agents: [] })
})

test('skein doctor finds a healthy node healthy, and says what is broken', async (t) => {
  const directory = await temporaryDirectory(t)
  const node = await startNode(t, join(directory, 'data'))
  await skeinJson(t, ['pub', 'a.b', 'x', '--url', node.url])
  const online = await skeinJson<{ healthy: boolean }>(t, ['doctor', '--url', node.url])
  assert.equal(online.healthy, true)
  const locked = await skein(t, ['doctor', '--data', join(directory, 'data'), '--json'])
  assert.equal(locked.code, 1)
  assert.match(locked.stdout, /in use|lock/)
  await node.stop('SIGTERM')
  const offline = await skeinJson<{ findings: Array<{ what: string; detail: string }> }>(t, [
    'doctor',
    '--data',
    join(directory, 'data'),
  ])
  assert.ok(offline.findings.some(({ what, detail }) => what === 'topic a.b' && detail.startsWith('1 messages')))
  assert.equal((await skein(t, ['doctor', '--url', node.url, '--connect-timeout', '200ms'])).code, 1)
})
