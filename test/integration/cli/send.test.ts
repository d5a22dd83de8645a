import assert from 'node:assert/strict'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { type TestContext, test } from 'node:test'
import Type from 'typebox'
import { CommandRejected, command } from '../../../src/channel/index.ts'
import { connect } from '../../../src/fabric/index.ts'
import { skein, skeinJson, spawnSkein, startNode, temporaryDirectory } from './skein.ts'

const MoveTo = command('swarm.commands.{agentId}.move-to', {
  schema: Type.Object({ latitude: Type.Number() }),
  reply: Type.Object({ arrivedAt: Type.Number() }),
  startWithinMs: 5_000,
  overlap: 'queue',
})

/** A node, and two drones that move, but never beyond the 80th degree. */
async function swarm(t: TestContext) {
  const node = await startNode(t, await temporaryDirectory(t))
  const fabric = await connect(node.url)
  t.after(() => fabric.close())
  for (const [id, region] of [
    ['drone-1', 'north'],
    ['drone-2', 'south'],
  ] as const) {
    const drone = await fabric.join({ id, type: 'quadrotor', region })
    drone.handle(MoveTo, ({ value }) => {
      if (value.latitude > 80) throw new CommandRejected('Cannot fly so far north')
      return { arrivedAt: value.latitude }
    })
  }
  return { node, fabric, at: ['--url', node.url, '--start-within', '10s'] }
}

interface Sent {
  readonly intentId: string
  readonly outcomes: ReadonlyArray<{ agentId: string; state: string; reason?: string; reply?: unknown }>
}

test('skein send waits for what becomes of a command, and its exit code says it', async (t) => {
  const { at } = await swarm(t)
  const done = await skeinJson<Sent>(t, ['send', 'drone-1', 'move-to', '{"latitude":47}', ...at])
  assert.deepEqual(
    done.outcomes.map(({ agentId, state, reply }) => [agentId, state, reply]),
    [['drone-1', 'done', { arrivedAt: 47 }]],
  )
  const refused = await skein(t, ['send', 'drone-1', 'move-to', '{"latitude":89}', '--json', ...at])
  assert.equal(refused.code, 7)
  assert.equal((JSON.parse(refused.stdout) as Sent).outcomes[0]!.state, 'rejected')
  const misfit = await skein(t, ['send', 'drone-1', 'move-to', '{"latitude":"x"}', '--json', ...at])
  assert.equal(misfit.code, 7)
  assert.equal((JSON.parse(misfit.stdout) as Sent).outcomes[0]!.reason, 'schema-mismatch')
  assert.equal((await skein(t, ['send', 'drone-1', 'move-to', '{"latitude":', ...at])).code, 2)
})

test('skein send reaches whoever is under a selector, and the same intent id takes effect once', async (t) => {
  const { at } = await swarm(t)
  const ids = ({ outcomes }: Sent) => outcomes.map(({ agentId }) => agentId)
  const value = '{"latitude":1}'
  assert.deepEqual(ids(await skeinJson(t, ['send', 'type=quadrotor', 'move-to', value, ...at])), ['drone-1', 'drone-2'])
  assert.deepEqual(ids(await skeinJson(t, ['send', 'region=south', 'move-to', value, ...at])), ['drone-2'])
  assert.deepEqual(ids(await skeinJson(t, ['send', 'drone-2,drone-1', 'move-to', value, ...at])), [
    'drone-1',
    'drone-2',
  ])
  const once = ['send', 'drone-1', 'move-to', '--intent-id', 'i-1', ...at]
  const first = await skeinJson<Sent>(t, [...once, value])
  assert.deepEqual((await skeinJson<Sent>(t, [...once, value])).outcomes, first.outcomes)
  assert.equal((await skein(t, ['send', 'type=rover', 'move-to', value, ...at])).code, 4)
  assert.equal((await skein(t, ['send', 'colour=red', 'move-to', value, ...at])).code, 2)
})

test('Nobody under a selector is unknown-agent, with the selector and the nearest type', async (t) => {
  const { at } = await swarm(t)
  const ended = await skein(t, ['send', 'type=quadrotr', 'move-to', '{"latitude":1}', '--json', ...at])
  assert.equal(ended.code, 4)
  const { error } = JSON.parse(ended.stdout)
  assert.equal(error.code, 'unknown-agent')
  assert.deepEqual(error.details, { selector: { type: 'quadrotr' }, nearest: 'type=quadrotor' })
  assert.match(ended.stderr, /did you mean type=quadrotor\?/)
})

test('Whoever is left with an unknown outcome is told the intent id, and the command that asks again', async (t) => {
  const { node, fabric, at } = await swarm(t)
  const gate = Promise.withResolvers<void>()
  const began = Promise.withResolvers<void>()
  const drone = await fabric.join({ id: 'slow', type: 'rover', region: 'north' })
  drone.handle(MoveTo, async ({ value }) => {
    began.resolve()
    await gate.promise
    return { arrivedAt: value.latitude }
  })
  const value = '{"latitude":3}'
  const late = await skein(t, ['send', 'slow', 'move-to', value, '--timeout', '200ms', ...at])
  assert.equal(late.code, 8)
  assert.match(
    late.stderr,
    /Sent as intent (\S+)\. Ask again with: skein send slow move-to '\{"latitude":3\}' --url \S+ --intent-id \1/,
  )
  await began.promise
  const child = spawnSkein(t, ['send', 'slow', 'move-to', value, '--intent-id', 'i-9', '--json', ...at])
  const ended = Promise.all([text(child.stdout!), text(child.stderr!), once(child, 'exit')])
  // Only a command that the node knows has left.
  for (;;) {
    const response = await fetch(`${node.url}/v1/commands/i-9`)
    if (response.ok && ((await response.json()) as Sent).outcomes.length === 1) break
  }
  child.kill('SIGINT')
  const [stdout, stderr, [code]] = await ended
  assert.equal(code, 130)
  const { error } = JSON.parse(stdout)
  assert.deepEqual([error.code, error.details.intentId, error.details.state], ['aborted', 'i-9', 'unknown'])
  assert.match(stderr, /i-9: its outcome is unknown/)
  gate.resolve()
  const again = await skeinJson<Sent>(t, ['send', 'slow', 'move-to', value, '--intent-id', 'i-9', ...at])
  assert.deepEqual(again.outcomes[0]!.reply, { arrivedAt: 3 })
})

test('A command sent over HTTP is answered with its outcome, which can be asked for again', async (t) => {
  const { node } = await swarm(t)
  const send = async (body: object) => {
    const response = await fetch(`${node.url}/v1/commands`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ command: 'swarm.commands.{agentId}.move-to', startWithinMs: 10_000, ...body }),
    })
    return {
      status: response.status,
      location: response.headers.get('location'),
      body: (await response.json()) as Sent,
    }
  }
  const done = await send({ target: 'drone-1', value: { latitude: 12 } })
  assert.equal(done.status, 200)
  assert.deepEqual(done.body.outcomes[0]!.reply, { arrivedAt: 12 })
  const all = await send({ target: { type: 'quadrotor' }, value: { latitude: 12 } })
  assert.deepEqual(
    all.body.outcomes.map(({ agentId, state }) => [agentId, state]),
    [
      ['drone-1', 'done'],
      ['drone-2', 'done'],
    ],
  )
  const later = await send({ target: 'drone-1', value: { latitude: 13 }, waitMs: 0 })
  assert.equal(later.status, 202)
  assert.equal(later.location, `/v1/commands/${later.body.intentId}`)
  for (;;) {
    const found = (await (await fetch(node.url + later.location)).json()) as Sent
    if (found.outcomes[0]?.state === 'done') break
  }
  const { agents } = (await (await fetch(`${node.url}/v1/agents?region=north`)).json()) as {
    agents: Array<{ id: string; liveness: string }>
  }
  assert.deepEqual(
    agents.map(({ id, liveness }) => [id, liveness]),
    [['drone-1', 'alive']],
  )
})

test('skein agents lists who is there', async (t) => {
  const { node } = await swarm(t)
  const { agents } = await skeinJson<{ agents: Array<{ id: string }> }>(t, [
    'agents',
    '--type',
    'quadrotor',
    '--url',
    node.url,
  ])
  assert.deepEqual(
    agents.map(({ id }) => id),
    ['drone-1', 'drone-2'],
  )
  const plain = await skein(t, ['agents', '--region', 'south', '--url', node.url])
  assert.match(
    plain.stdout,
    /^id +type +region +epoch +liveness +heard\ndrone-2 +quadrotor +south +\d+ +alive +\d+ s ago\n$/,
  )
})
