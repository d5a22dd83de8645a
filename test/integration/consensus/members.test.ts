import assert from 'node:assert/strict'
import { cp, rm } from 'node:fs/promises'
import { test } from 'node:test'
import { until } from '../../until.ts'
import { contents, RaftGroup } from './raft-group.ts'

const bytes = (text: string) => Buffer.from(text)

test('A new machine is added as a learner, made a voter, and carries the group when an old one is removed', async (t) => {
  const group = await RaftGroup.make(t, 3)
  await group.startAll()
  const leader = await group.leader()
  await leader.append([bytes('a')])
  await group.start(4)
  await leader.admin.addLearner({ id: '4', address: group.address(4) })
  assert.deepEqual(
    leader.admin.members().map(({ id, kind }) => `${id} ${kind}`),
    ['1 voter', '2 voter', '3 voter', '4 learner'],
  )
  await leader.admin.promote('4')
  const removed = ['1', '2', '3'].find((id) => id !== leader.status().id)!
  await leader.admin.remove(removed)
  await leader.append([bytes('b')])
  await group.stop(Number(removed))
  const fresh = group.logs.get(4)!
  await until(() => fresh.barrier().then(Boolean, () => false))
  assert.deepEqual(await contents(fresh), ['a', 'b'])
  assert.deepEqual(fresh.admin.members(), leader.admin.members())
  assert.equal(fresh.admin.members().find(({ id }) => id === '4')?.address, group.address(4))
})

test('A machine whose disk is lost is refused under its old id, and replaced under a new one that fetches everything', async (t) => {
  const group = await RaftGroup.make(t, 3)
  await group.startAll()
  const leader = await group.leader()
  await leader.append([bytes('a'), bytes('b')])
  const snapshot = await leader.snapshots.write({ index: leader.status().committedIndex, timeMs: 5 }, bytes('state'))
  await leader.compact(snapshot.index, snapshot)
  await leader.append([bytes('c')])
  const lost = [1, 2, 3].find((id) => group.logs.get(id) !== leader)!
  await until(() => group.logs.get(lost)!.status().committedIndex === leader.status().committedIndex)
  await group.stop(lost)
  await rm(group.folder(lost), { recursive: true })
  const impostor = await group.start(lost)
  await until(() => impostor.status().failure !== undefined)
  assert.equal((impostor.status().failure as Error & { code?: string }).code, 'id-reused')
  await assert.rejects(impostor.append([bytes('x')]), { code: 'id-reused' })
  await group.stop(lost)
  await assert.rejects(leader.admin.addLearner({ id: `${lost}`, address: group.address(lost) }), { code: 'id-reused' })
  await leader.admin.remove(`${lost}`)
  await assert.rejects(leader.admin.addLearner({ id: `${lost}`, address: group.address(lost) }), { code: 'id-reused' })
  const fresh = await group.start(4)
  await leader.admin.addLearner({ id: '4', address: group.address(4) })
  await leader.admin.promote('4')
  await until(() => fresh.barrier().then(Boolean, () => false))
  assert.deepEqual(await contents(fresh), [`snapshot ${snapshot.index}`, 'c'])
  assert.equal(Buffer.concat(await Array.fromAsync(fresh.snapshots.read(fresh.status().snapshot!))).toString(), 'state')
})

test('A copy of a data directory cannot run beside the original under the same id', async (t) => {
  const group = await RaftGroup.make(t, 1)
  await group.startAll()
  await group.leader()
  await assert.rejects(group.start(1), { code: 'locked' })
})

test('Leadership goes where it is told to; a leader that is to be removed hands over first', async (t) => {
  const group = await RaftGroup.make(t, 3)
  await group.startAll()
  const leader = await group.leader()
  const id = Number(leader.status().id)
  const other = [1, 2, 3].find((one) => one !== id)!
  await leader.admin.transfer(`${other}`)
  await until(() => group.logs.get(other)!.status().state === 'leading')
  const next = group.logs.get(other)!
  await next.append([bytes('a')])
  await assert.rejects(leader.admin.remove(`${other}`), { code: 'not-leader' })
  await assert.rejects(next.admin.remove(`${other}`), { code: 'not-leader', retryable: true })
  const last = await group.leader()
  assert.notEqual(last, next)
  await until(() =>
    last.admin.remove(`${other}`).then(
      () => true,
      () => false,
    ),
  )
  assert.equal(last.admin.members().length, 2)
  for (const call of [last.admin.remove('9'), last.admin.promote('9'), last.admin.transfer('9')]) {
    await assert.rejects(call, { code: 'not-found' })
  }
  await assert.rejects(last.admin.addLearner({ id: 'nine', address: '127.0.0.1:1' }), { code: 'bad-argument' })
})

test('A member of another cluster is refused on both sides, and says so; a directory of another cluster is not opened', async (t) => {
  const group = await RaftGroup.make(t, 3)
  await group.start(1)
  await group.start(2)
  const leader = await group.leader()
  const stranger = await group.start(3, { cluster: 'another' })
  const says = (log: typeof leader) => log.connections().peers.some(({ error }) => error?.code === 'wrong-cluster')
  await until(() => says(stranger) && says(leader))
  assert.ok(leader.connections().refused > 0)
  assert.equal(stranger.status().state, 'electing')
  await leader.append([bytes('a')])
  await group.stop(3)
  await assert.rejects(group.start(3), { code: 'wrong-cluster' })
  await cp(group.folder(3), group.folder(5), { recursive: true, filter: (path) => !path.endsWith('.sock') })
  await assert.rejects(group.start(5, { cluster: 'another' }), { code: 'bad-argument' })
})
