import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SimulatedClock, SimulatedDisk } from '../../../testing/index.ts'
import { configuration, type Entry } from '../../raft/index.ts'
import { Persister, type PersistRequest } from './persister.ts'
import type { SnapshotRecord } from './snapshot-record.ts'
import { VoteSlots } from './vote-slots.ts'
import { Wal } from './wal.ts'

const command = (index: number, term: number): Entry => ({ index, term, kind: 'command', data: Buffer.from('x') })

function record(index: number): SnapshotRecord {
  return {
    metadata: { index, term: 1, configuration: configuration({ voters: [1] }) },
    snapshot: { index, timeMs: 3, name: `s/${index}`, bytes: 1, checksum: 'c' },
    members: { addresses: [], spent: [1] },
  }
}

async function make(disk = new SimulatedDisk()) {
  const clock = new SimulatedClock()
  const open = () => Wal.open({ disk, clock, directory: 'wal', segmentBytes: 10_000 })
  const { wal } = await open()
  const votes = await VoteSlots.create(disk, 'votes', { term: 1, vote: 0 })
  await disk.syncDirectory('.')
  const failures: Error[] = []
  const persister = new Persister({
    clock,
    wal,
    votes,
    hardState: { term: 1, vote: 0, commit: 0 },
    snapshotIndex: 0,
    onFailed: (error) => failures.push(error),
  })
  const done: string[] = []
  const store = (name: string, request: Partial<PersistRequest>) => {
    const given = { hardState: undefined, entries: [], installed: undefined, mustSync: true, ...request }
    persister.store({ ...given, done: () => done.push(name) })
  }
  const reopen = async () => {
    await persister.stop()
    // After a failed sync it says so once more.
    await wal.drain().catch(() => undefined)
    return (await open()).contents
  }
  return { clock, disk, persister, votes, failures, done, store, reopen }
}

test('What comes while a sync is under way is written by the next one, and told in order', async () => {
  const { clock, disk, done, store, reopen } = await make()
  const syncs = () => disk.calls.get('fdatasync') ?? 0
  const before = syncs()
  store('first', { entries: [command(1, 1)] })
  for (let index = 2; index <= 50; index += 1) store(`${index}`, { entries: [command(index, 1)] })
  store('last', { entries: [command(40, 2)] })
  await clock.advanceUntil(() => done.length === 51)
  assert.deepEqual(done, ['first', ...Array.from({ length: 49 }, (_, at) => `${at + 2}`), 'last'])
  assert.ok(syncs() - before <= 3, `${syncs() - before} syncs`)
  const { entries } = await reopen()
  assert.equal(entries.length, 40)
  assert.equal(entries.at(-1)!.term, 2)
})

test('A commit index alone is written with the next entries, or soon when there are none; nobody waits for it', async () => {
  const { clock, disk, done, store, reopen } = await make()
  const syncs = () => disk.calls.get('fdatasync') ?? 0
  store('entry', { entries: [command(1, 1)] })
  await clock.advanceUntil(() => done.length === 1)
  const before = syncs()
  store('commit', { hardState: { term: 1, vote: 0, commit: 1 }, mustSync: false })
  assert.deepEqual(done, ['entry', 'commit'])
  assert.equal(syncs(), before)
  await clock.advance(1_000)
  assert.equal((await reopen()).commit, 1)
})

test('What needs no sync of its own still waits for the one that is under way', async () => {
  const { clock, done, store } = await make()
  store('entry', { entries: [command(1, 1)] })
  store('acknowledgment', { mustSync: false })
  assert.deepEqual(done, [])
  await clock.advanceUntil(() => done.length === 2)
  assert.deepEqual(done, ['entry', 'acknowledgment'])
})

test('What waits to be stored is let go of when a snapshot takes the place of the log', async () => {
  const { clock, done, store, reopen } = await make()
  store('first', { entries: [command(1, 1)] })
  store('waits', { entries: [command(2, 1), command(3, 1)] })
  store('install', { installed: record(2) })
  await clock.advanceUntil(() => done.length === 3)
  const { snapshot, entries } = await reopen()
  assert.deepEqual([snapshot?.metadata.index, entries], [2, []])
})

test('A vote is in both slots before anybody is told', async () => {
  const { clock, done, store, votes } = await make()
  store('vote', { hardState: { term: 4, vote: 2, commit: 0 } })
  assert.deepEqual(done, [])
  await clock.advanceUntil(() => done.length === 1)
  assert.deepEqual({ term: votes.vote.term, vote: votes.vote.vote }, { term: 4, vote: 2 })
})

test('Wherever the power fails, no entry is on the disk before the term that it was made in, nor a vote half given', async () => {
  for (let call = 1, isOver = false; !isOver; call += 1) {
    const { clock, disk, done, store, reopen } = await make(new SimulatedDisk({ syncTurnsMax: 50 }))
    store('first', { hardState: { term: 2, vote: 1, commit: 0 }, entries: [command(1, 2)] })
    await clock.advanceUntil(() => done.length === 1)
    disk.failPowerAt(call)
    store('second', { hardState: { term: 3, vote: 2, commit: 1 }, entries: [command(2, 3)] })
    await clock.advance(1_000)
    isOver = !disk.isOff
    if (!disk.isOff) disk.losePower()
    disk.restart()
    const { entries } = await reopen()
    const { vote } = await VoteSlots.open(disk, 'votes')
    assert.ok(vote.term >= (entries.at(-1)?.term ?? 0), `power lost at call ${call}`)
    assert.equal(vote.vote, vote.term === 3 ? 2 : 1, `power lost at call ${call}`)
    if (done.length === 2) assert.deepEqual([vote.term, entries.length], [3, 2], `power lost at call ${call}`)
  }
})

test('A snapshot of its own never takes the place of a later one from the leader', async () => {
  const { clock, persister, done, store, reopen } = await make()
  store('entries', { entries: [command(1, 1), command(2, 1)] })
  store('install', { installed: record(80) })
  assert.equal(await persister.noteSnapshot(record(2)), false)
  await clock.advanceUntil(() => done.length === 2)
  const { snapshot, entries } = await reopen()
  assert.equal(snapshot?.metadata.index, 80)
  assert.deepEqual(entries, [])
})

test('On a full disk what was handed over waits for room; after a failed sync nothing is told and nothing is written', async () => {
  const full = await make()
  full.disk.fail({ call: 'writev', nth: 1, errno: 'ENOSPC', forGood: true })
  full.store('waits', { entries: [command(1, 1)] })
  await full.clock.advance(2_000)
  assert.ok(full.persister.isFull)
  assert.deepEqual(full.done, [])
  full.disk.heal()
  await full.clock.advanceUntil(() => full.done.length === 1)
  assert.equal(full.persister.isFull, false)
  assert.equal((await full.reopen()).entries.length, 1)

  const broken = await make()
  broken.disk.fail({ call: 'fdatasync', nth: 1, errno: 'EIO' })
  broken.store('lost', { entries: [command(1, 1)] })
  broken.store('later', { entries: [command(2, 1)] })
  await broken.clock.advanceUntil(() => broken.failures.length > 0)
  broken.store('after', { entries: [command(3, 1)] })
  await broken.clock.advance(1_000)
  assert.deepEqual(broken.done, [])
  assert.equal(broken.failures.length, 1)
})
