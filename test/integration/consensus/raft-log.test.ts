import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ReplicatedLog } from '../../../src/consensus/index.ts'
import { until } from '../../until.ts'
import { contents, RaftGroup } from './raft-group.ts'

const bytes = (text: string) => Buffer.from(text)

/** A snapshot of everything through the end, as JSON of what was appended. */
async function snapshotOf(log: ReplicatedLog) {
  const index = log.status().committedIndex
  return log.snapshots.write({ index, timeMs: 1 }, bytes(JSON.stringify(index)))
}

test('Three members elect a leader, and what it acknowledges is read on each, in order', async (t) => {
  const group = await RaftGroup.make(t, 3)
  await group.startAll()
  const leader = await group.leader()
  const receipt = await leader.append([bytes('a'), bytes('b')])
  assert.equal(receipt.durability, 'quorum-durable')
  assert.equal(receipt.last, receipt.first + 1)
  const receipts = await Promise.all(Array.from({ length: 200 }, (_, at) => leader.append([bytes(`c${at}`)])))
  assert.ok(receipts.every(({ first }, at) => at === 0 || first === receipts[at - 1]!.first + 1))
  const expected = ['a', 'b', ...receipts.map((_, at) => `c${at}`)]
  for (const log of group.logs.values()) {
    await until(() => log.status().committedIndex >= receipts.at(-1)!.last)
    assert.deepEqual(await contents(log), expected)
  }
})

test('A member alone acknowledges as durable, and has it after a restart', async (t) => {
  const group = await RaftGroup.make(t, 1)
  await group.startAll()
  const leader = await group.leader()
  assert.equal((await leader.append([bytes('kept')])).durability, 'durable')
  await group.stop(1)
  await group.start(1)
  await (await group.leader()).barrier()
  assert.deepEqual(await contents(group.logs.get(1)!), ['kept'])
})

test('A follower refuses to append and says who leads; its read points see what was acknowledged elsewhere', async (t) => {
  const group = await RaftGroup.make(t, 3)
  await group.startAll()
  const leader = await group.leader()
  const follower = [...group.logs.values()].find((log) => log !== leader)!
  await until(() => follower.status().state === 'following')
  await assert.rejects(follower.append([bytes('x')]), (error: Error & { code?: string; details?: object }) => {
    assert.equal(error.code, 'not-leader')
    assert.deepEqual(error.details, { leader: Number(leader.status().id) })
    return true
  })
  for (let round = 0; round < 20; round += 1) {
    const { last } = await leader.append([bytes(`r${round}`)])
    assert.ok((await follower.barrier()) >= last)
    assert.equal((await contents(follower)).at(-1), `r${round}`)
  }
})

test('When the leader stops another takes over, nothing acknowledged is lost, and the old one catches up from its disk', async (t) => {
  const group = await RaftGroup.make(t, 3)
  await group.startAll()
  const expected: string[] = []
  for (let round = 0; round < 3; round += 1) {
    for (let at = 0; at < 50; at += 1) expected.push(`${round}-${at}`)
    const leader = await group.leader()
    await leader.append(expected.slice(-50).map(bytes))
    const id = Number(leader.status().id)
    await group.stop(id)
    const next = await group.leader()
    await next.barrier()
    assert.deepEqual(await contents(next), expected)
    const back = await group.start(id)
    await until(() => back.barrier().then(Boolean, () => false))
    assert.deepEqual(await contents(back), expected)
  }
})

test('Without a majority an append ends as outcome-unknown, then as not-leader; closing ends it at once', async (t) => {
  const group = await RaftGroup.make(t, 3)
  await group.startAll()
  const leader = await group.leader()
  await leader.append([bytes('sure')])
  for (const id of [1, 2, 3]) if (group.logs.get(id) !== leader) await group.stop(id)
  await assert.rejects(leader.append([bytes('who knows')]), { code: 'outcome-unknown' })
  await until(() => leader.status().state === 'electing')
  await assert.rejects(leader.append([bytes('no')]), { code: 'not-leader', retryable: true })
  await assert.rejects(leader.barrier(), { code: 'not-leader', retryable: true })
})

test('close() ends what is in flight as outcome-unknown and ends readers; everything later is refused as closed', async (t) => {
  const group = await RaftGroup.make(t, 3)
  await group.startAll()
  const leader = await group.leader()
  const read = Array.fromAsync(leader.read(0))
  const inFlight = leader.append([bytes('x')])
  const closing = leader.close()
  await assert.rejects(inFlight, { code: 'outcome-unknown' })
  await read
  await closing
  assert.equal(leader.close(), leader.close())
  await assert.rejects(leader.append([bytes('x')]), { code: 'closed' })
  await assert.rejects(leader.barrier(), { code: 'closed' })
  assert.equal(leader.status().state, 'closed')
})

test('drain() acknowledges what was accepted, then hands leadership on', async (t) => {
  const group = await RaftGroup.make(t, 3)
  await group.startAll()
  const leader = await group.leader()
  const accepted = Promise.all(Array.from({ length: 50 }, (_, at) => leader.append([bytes(`${at}`)])))
  const draining = leader.drain()
  await assert.rejects(leader.append([bytes('late')]), { code: 'closed' })
  assert.equal((await accepted).length, 50)
  await draining
  group.logs.delete(Number(leader.status().id))
  assert.equal(group.leaders().length, 1)
})

test('A signal stops a wait: its reason before the call, outcome-unknown with it as the cause after', async (t) => {
  const group = await RaftGroup.make(t, 3)
  await group.startAll()
  const leader = await group.leader()
  const reason = new Error('enough')
  const before = AbortSignal.abort(reason)
  for (const call of [leader.append([bytes('x')], { signal: before }), leader.barrier({ signal: before })]) {
    await assert.rejects(call, reason)
  }
  const later = new AbortController()
  const append = leader.append([bytes('y')], { signal: later.signal })
  const barrier = leader.barrier({ signal: later.signal })
  const read = Array.fromAsync(leader.read(1_000_000, { signal: later.signal }))
  later.abort(reason)
  await assert.rejects(append, { code: 'outcome-unknown', cause: reason })
  await assert.rejects(barrier, reason)
  await assert.rejects(read, reason)
})

test('An empty batch, an oversized command and a foolish place are refused, and nothing is appended', async (t) => {
  const group = await RaftGroup.make(t, 1, { commandBytesMax: 1_000 })
  await group.startAll()
  const leader = await group.leader()
  await assert.rejects(leader.append([]), { code: 'bad-argument' })
  await assert.rejects(leader.append([bytes('a'), Buffer.alloc(1_001)]), { code: 'message-too-large' })
  assert.throws(() => leader.read(-1), { code: 'bad-argument' })
  await leader.append([Buffer.alloc(1_000, 'b')])
  assert.deepEqual(await contents(leader), ['b'.repeat(1_000)])
})

test('A leader that holds too much since the last compaction refuses appends until it is compacted', async (t) => {
  const group = await RaftGroup.make(t, 1, { retainedBytesMax: 10_000 })
  await group.startAll()
  const leader = await group.leader()
  for (let at = 0; at < 10; at += 1) await leader.append([Buffer.alloc(1_000)])
  await assert.rejects(leader.append([bytes('x')]), { code: 'overloaded' })
  const snapshot = await snapshotOf(leader)
  await leader.compact(snapshot.index, snapshot)
  await leader.append([bytes('x')])
})

test('A follower that was away while the log was compacted gets the snapshot and what follows; so does a reader', async (t) => {
  const group = await RaftGroup.make(t, 3)
  await group.startAll()
  const leader = await group.leader()
  const away = [1, 2, 3].find((id) => group.logs.get(id) !== leader)!
  const reader = group.logs.get(away)!
  await leader.append([bytes('before')])
  await reader.barrier()
  await group.stop(away)
  for (let at = 0; at < 100; at += 1) await leader.append([Buffer.alloc(5_000, `${at}`)])
  const state = Buffer.alloc(20_000_000, 'state ')
  const index = leader.status().committedIndex
  const snapshot = await leader.snapshots.write({ index, timeMs: 77 }, state)
  await leader.compact(index, snapshot)
  assert.equal(leader.status().firstIndex, index + 1)
  await leader.append([bytes('behind')])
  const back = await group.start(away)
  await until(() => back.status().committedIndex > index)
  await until(async () => (await contents(back, index)).includes('behind'))
  assert.deepEqual(await contents(back), [`snapshot ${index}`, 'behind'])
  const restored = Buffer.concat(await Array.fromAsync(back.snapshots.read(back.status().snapshot!)))
  assert.ok(restored.equals(state))
  await assert.rejects(Array.fromAsync(back.read(1, { onCompacted: 'fail' })), (error: Error & { code?: string }) => {
    assert.equal(error.code, 'position-gone')
    assert.equal((error as Error & { snapshot?: { index: number } }).snapshot!.index, index)
    return true
  })
  await group.stop(away)
  const again = await group.start(away)
  await again.barrier().catch(() => undefined)
  await until(async () => (await contents(again)).length === 2)
  assert.deepEqual(await contents(again), [`snapshot ${index}`, 'behind'])
})

test('compact() refuses what is not covered or not stored, passes over older snapshots, and frees the disk', async (t) => {
  const group = await RaftGroup.make(t, 1, { segmentBytes: 20_000 })
  await group.startAll()
  const leader = await group.leader()
  const walBytes = async () => {
    const { systemDisk } = await import('../../../src/core/system/index.ts')
    const disk = systemDisk()
    const names = await disk.list(`${group.folder(1)}/wal`)
    const sizes = await Promise.all(names.map((name) => disk.size(`${group.folder(1)}/wal/${name}`)))
    return sizes.reduce<number>((sum, size) => sum + (size ?? 0), 0)
  }
  for (let at = 0; at < 100; at += 1) await leader.append([Buffer.alloc(1_000, `${at % 10}`)])
  const first = await snapshotOf(leader)
  await assert.rejects(leader.compact(first.index + 1, first), { code: 'bad-argument' })
  await assert.rejects(leader.compact(1, { ...first, index: first.index + 50 }), { code: 'bad-argument' })
  await assert.rejects(leader.compact(1, { ...first, name: 'raft/1/nowhere' }), { code: 'not-found' })
  const bytesBefore = await walBytes()
  const second = await snapshotOf(leader)
  await leader.compact(second.index - 5, second)
  await until(async () => (await walBytes()) < bytesBefore / 2)
  await leader.compact(first.index - 1, { ...first, index: first.index - 1 })
  assert.equal(leader.status().snapshot!.name, second.name)
  assert.equal(leader.status().firstIndex, second.index - 4)
  await leader.append([bytes('later')])
  await group.stop(1)
  await group.start(1)
  const back = await group.leader()
  await back.barrier()
  assert.deepEqual(await contents(back, second.index - 4), [
    ...Array.from({ length: 5 }, (_, at) => `${at + 5}`.repeat(1_000)),
    'later',
  ])
})

test('changes() tells of a new leader, and keeps only the newest for whoever is slow', async (t) => {
  const group = await RaftGroup.make(t, 3)
  await group.startAll()
  const log = await group.leader()
  const id = log.status().id
  const seen: string[] = []
  const other = [1, 2, 3].find((node) => `${node}` !== id)!
  for await (const status of log.changes()) {
    seen.push(status.state)
    if (seen.length === 1) await log.admin.transfer(`${other}`)
    if (status.leader?.id === `${other}`) break
  }
  assert.equal(seen[0], 'leading')
  assert.equal(seen.at(-1), 'following')
})
