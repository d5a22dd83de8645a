import assert from 'node:assert/strict'
import { rm } from 'node:fs/promises'
import { test } from 'node:test'
import { until } from '../../until.ts'
import { RaftNodes } from './raft-nodes.ts'

const PATIENT = { withinMs: 60_000, everyMs: 200 }
const LONG = { timeout: 300_000 }

test(
  'Three nodes elect, append and read; the leader is killed and another goes on; a lost disk is replaced under a new id',
  LONG,
  async (t) => {
    const group = await RaftNodes.make(t)
    await Promise.all([1, 2, 3].map((id) => group.start(id)))
    const leader = await group.leader([1, 2, 3])
    const other = leader === 1 ? 2 : 1
    // Asked of a member that does not lead: it is sent to the leader.
    const appended = await group.json<{ durability: string; first: number }>(other, 'append', 'first', 'second')
    assert.equal(appended.durability, 'quorum-durable')
    assert.deepEqual(await group.read(other), ['first', 'second'])

    await group.kill(leader)
    const survivors = [1, 2, 3].filter((id) => id !== leader)
    const next = await group.leader(survivors)
    assert.ok(survivors.includes(next))
    await group.json(next, 'append', 'third')
    const told = await group.raft(next, 'status')
    assert.match(told.stdout, /this member {2}\d, leading/)
    assert.match(told.stdout, new RegExp(`member ${leader} +not reached`))

    await rm(group.data(leader), { recursive: true })
    await group.start(leader)
    await until(async () => (await group.status(leader)).failure?.code === 'id-reused', PATIENT)
    assert.equal((await group.raft(next, 'add', `${leader}`, group.address(leader))).code, 5)
    await group.kill(leader)
    const { members } = await group.json<{ members: unknown[] }>(next, 'remove', `${leader}`)
    assert.equal(members.length, 2)
    await group.start(4)
    await group.json(next, 'add', '4', group.address(4))
    const listed = await group.json<{ members: Array<{ id: string; kind: string }> }>(next, 'members')
    assert.deepEqual(
      listed.members.map(({ id, kind }) => `${id} ${kind}`),
      [...survivors, 4].map((id) => `${id} voter`),
    )
    await until(async () => (await group.read(4)).length === 3, PATIENT)
    assert.deepEqual(await group.read(4), ['first', 'second', 'third'])
  },
)

test('Leadership is handed over, a learner waits, and a snapshot keeps what the log lets go', LONG, async (t) => {
  const group = await RaftNodes.make(t)
  await Promise.all([1, 2, 3].map((id) => group.start(id)))
  const leader = await group.leader([1, 2, 3])
  const next = leader === 3 ? 1 : 3
  assert.deepEqual(await group.json(leader, 'transfer', `${next}`), { leader: `${next}` })
  assert.equal(await group.leader([1, 2, 3]), next)
  const texts = Array.from({ length: 50 }, (_, at) => `command ${at}`)
  await group.json(next, 'append', ...texts)
  const { taken, snapshot } = await group.json<{ taken: boolean; snapshot: { index: number } }>(
    next,
    'snapshot',
    '--keep',
    '0',
  )
  assert.equal(taken, true)
  const told = await group.status(next)
  assert.deepEqual([told.snapshot?.index, told.firstIndex], [snapshot.index, snapshot.index + 1])
  assert.deepEqual(await group.json(next, 'snapshot'), { taken: false, snapshot: told.snapshot })
  await group.json(next, 'append', 'after')
  // Whoever is added now receives the snapshot, and what follows it.
  await group.start(4)
  const learner = ['add', '4', group.address(4), '--learner']
  const added = await group.json<{ members: Array<{ id: string; kind: string }> }>(next, ...learner)
  assert.equal(added.members.find(({ id }) => id === '4')?.kind, 'learner')
  for (const id of [next, 4]) {
    await until(async () => (await group.read(id)).length === 51, PATIENT)
    assert.deepEqual(await group.read(id), [...texts, 'after'])
  }
  assert.deepEqual(await group.read(4, '--from', `${snapshot.index + 1}`), ['after'])
  const followed = group.follow(4, snapshot.index + 1)
  await group.json(next, 'append', 'later')
  await until(() => followed.texts.includes('later'), PATIENT)
  assert.deepEqual([followed.texts, await followed.stop()], [['after', 'later'], 0])
})

test('What cannot be done says why, with an exit code of its own', LONG, async (t) => {
  const group = await RaftNodes.make(t)
  await Promise.all([1, 2, 3].map((id) => group.start(id)))
  const leader = await group.leader([1, 2, 3])
  const cases: ReadonlyArray<readonly [argv: readonly string[], code: number, said: RegExp]> = [
    [['status', '--log', 'decison'], 4, /did you mean "decisions"/],
    [['remove', '9'], 4, /no such member/],
    [['transfer', '9'], 4, /no such member/],
    [['add', '1', group.address(1)], 5, /never used again/],
    [['add', 'one', 'nowhere'], 2, /whole number/],
  ]
  for (const [argv, code, said] of cases) {
    const ended = await group.raft(leader, ...argv)
    assert.equal(ended.code, code, `${argv[0]}: ${ended.stderr}`)
    assert.match(ended.stderr, said)
  }
  // No majority is left: nothing is appended, and what the survivor has can be read there.
  await group.json(leader, 'append', 'kept')
  const survivor = leader === 1 ? 2 : 1
  await until(async () => (await group.read(survivor, '--local')).length === 1, PATIENT)
  for (const id of [1, 2, 3].filter((one) => one !== survivor)) await group.kill(id)
  await until(async () => (await group.status(survivor)).leader === undefined, PATIENT)
  const refused = await group.raft(survivor, 'append', 'lost', '--connect-timeout', '1s')
  assert.equal(refused.code, 3)
  assert.match(refused.stderr, /not-leader/)
  assert.deepEqual(await group.read(survivor, '--local'), ['kept'])
  await group.kill(survivor)
  assert.equal((await group.raft(survivor, 'status')).code, 3)
})
