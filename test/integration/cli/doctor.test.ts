import assert from 'node:assert/strict'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Type } from 'typebox'
import { openEmbeddedBus } from '../../../src/bus/drivers/embedded/index.ts'
import type { Message } from '../../../src/bus/index.ts'
import { systemClock, systemDisk, systemRandom } from '../../../src/core/system/index.ts'
import { command, connect } from '../../../src/fabric/index.ts'
import { skein, startNode, temporaryDirectory } from './skein.ts'

interface Finding {
  readonly what: string
  readonly state: string
  readonly detail: string
  readonly facts?: Readonly<Record<string, number>>
}

const Land = command('swarm.commands.{agentId}.land', {
  schema: Type.Object({}),
  startWithinMs: 1_000,
  overlap: 'queue',
})

/** The data of a node on which one agent, whose inbox the node keeps, has done one command under one epoch. */
async function usedDirectory(t: TestContext): Promise<{ readonly data: string; readonly epoch: number }> {
  const data = join(await temporaryDirectory(t), 'data')
  const node = await startNode(t, data)
  const fabric = await connect(node.url.replace('http', 'skein'))
  const drone = await fabric.join({ id: 'drone-7', type: 'quadrotor', region: 'north' })
  drone.handle(Land, () => undefined)
  assert.equal((await fabric.send(Land, 'drone-7', {}, { intentId: 'landing' })).state, 'done')
  await fabric.drain()
  await node.stop('SIGTERM')
  return { data, epoch: drone.epoch }
}

/** Gives the position of the last one. */
async function plant(data: string, topic: string, messages: readonly Message[]): Promise<number> {
  const parts = { disk: systemDisk(), clock: systemClock, random: systemRandom }
  const bus = await openEmbeddedBus({ ...parts, directory: data })
  const { positions } = await bus.writer(topic).write(messages)
  await bus.close()
  return positions.at(-1)!.sequence
}

async function findingsOf(
  t: TestContext,
  data: string,
): Promise<{ code: number | null; findings: readonly Finding[] }> {
  const ended = await skein(t, ['doctor', '--data', data, '--json'])
  return { code: ended.code, findings: JSON.parse(ended.stdout).findings }
}

const rowOf = (epoch: number, more: object) => ({
  ...{ intentId: 'landing', agentId: 'drone-7', epoch, incarnation: 'x', bodyHash: 'h', sender: 's', type: 't' },
  ...{ deadlineMs: 1, idempotent: false, again: false, keepUntilMs: 1, reported: false, ...more },
})

test('skein doctor --data folds roster and inbox, and counts what is stored beside what is still given', async (t) => {
  const { data } = await usedDirectory(t)
  // Past its deadline a command is given to nobody, and stays stored.
  await sleep(1_100)
  const { code, findings } = await findingsOf(t, data)
  assert.equal(code, 0, JSON.stringify(findings))
  const of = (what: string) => findings.find((finding) => finding.what === what)
  assert.deepEqual(of('roster')?.facts, { agents: 1, left: 1 })
  assert.deepEqual(of('inbox')?.facts, { commands: 1, open: 0 })
  assert.deepEqual(of('topic swarm.commands')?.facts, { stored: 1, readable: 0 })
  assert.match(of('topic swarm.commands')!.detail, /1 more are past their time/)
})

test('skein doctor --data finds each contradiction in roster and inbox', async (t) => {
  const { data, epoch } = await usedDirectory(t)
  const owner = { skeinowner: '0' }
  const state = { id: 'drone-7', type: 'quadrotor', liveness: 'alive', events: [] }
  const record = (id: string, value: object | string, headers: Record<string, string> = owner): Message => ({
    subject: `skein.roster.agents.${id}`,
    key: id,
    value: typeof value === 'string' ? value : JSON.stringify(value),
    headers,
  })
  const announced = { subject: 'skein.roster.owners.n', key: 'skein.owner', value: '{}' }
  const decider = await plant(data, 'skein.roster', [announced])
  await plant(data, 'skein.roster', [
    record('drone-7', { ...state, epoch: 0 }, { skeinowner: String(decider) }),
    record('drone-7', { ...state, epoch: 99_999 }, { skeinowner: String(99_998) }),
    record('drone-8', { ...state, id: 'drone-9', epoch: 1 }),
    record('drone-6', { ...state, id: 'drone-6', epoch: 99_999 }),
    record('drone-5', 'no record'),
    record('drone-4', { ...state, id: 'drone-4' }, {}),
  ])
  const key = (intent: string) => `7/drone-7/${intent}`
  const inbox = (at: string, value: object | string): Message => ({
    subject: 'skein.inbox',
    key: at,
    value: typeof value === 'string' ? value : JSON.stringify(value),
  })
  await plant(data, 'skein.inbox', [
    inbox(key('landing'), rowOf(epoch, { outcome: { state: 'failed', atMs: 1 } })),
    inbox(key('other'), rowOf(epoch, {})),
    inbox(key('third'), 'no change'),
    inbox(key('fourth'), rowOf(epoch, { intentId: 'fourth', outcome: { state: 'done', atMs: 1 } })),
    inbox(key('fourth'), rowOf(epoch, { intentId: 'fourth', outcome: { state: 'failed', atMs: 1 } })),
    inbox(key('future'), rowOf(999_999, { intentId: 'future' })),
  ])
  const { code, findings } = await findingsOf(t, data)
  assert.equal(code, 1)
  const told = (what: string) =>
    findings.filter((finding) => finding.what === what && finding.state === 'broken').map(({ detail }) => detail)
  const expect = (what: string, patterns: readonly RegExp[]) => {
    for (const pattern of patterns)
      assert.ok(
        told(what).some((detail) => pattern.test(detail)),
        `${pattern}: ${told(what)}`,
      )
  }
  expect('roster', [
    /"drone-7" goes back from epoch \d+ to 0/,
    /decider 99998, which never announced itself/,
    /agent "drone-9" under the key "drone-8"/,
    /"drone-6" has epoch 99999, which no join can have given yet/,
    /only the node may write/,
  ])
  expect('inbox', [
    /"landing" of agent "drone-7" has two bodies/,
    /stands under the key of another one/,
    /no JSON|Cannot/,
    /"fourth" of agent "drone-7" is failed after it was done/,
    /epoch 999999 of agent "drone-7", whose newest/,
  ])
})
