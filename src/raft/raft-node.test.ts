import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seededRandom } from '../../testing/index.ts'
import { bootstrapState } from './bootstrap-state.ts'
import { encodeConfigChange } from './config-change-codec.ts'
import { configuration } from './configuration.ts'
import type { Message } from './message.ts'
import { RaftNode } from './raft-node.ts'
import type { RaftOptions } from './raft-options.ts'
import type { Ready } from './ready.ts'

function node(options: Partial<RaftOptions> = {}): RaftNode {
  return new RaftNode({ id: 1, random: seededRandom(7), ...options })
}

const VOTER = { state: { configuration: configuration({ voters: [1] }) }, preVote: false }

/** Does all that is to be done at once, as a disk and a state machine without delay would. */
function drain(raft: RaftNode): Ready[] {
  const done: Ready[] = []
  for (let ready = raft.ready(); ready !== undefined; ready = raft.ready()) {
    done.push(ready)
    if (ready.token !== undefined) raft.persisted(ready.token)
    for (const entry of ready.committed) {
      if (entry.kind === 'config') raft.applyConfigChange(entry)
      raft.applied(entry.index)
    }
  }
  return done
}

test('a new node has nothing to do, and says so', () => {
  assert.equal(node().ready(), undefined)
  const { role, term, lastIndex, configuration: members } = node().status()
  assert.deepEqual([role, term, lastIndex, members.voters], ['follower', 0, 0, []])
})

test('RaftNode refuses impossible ids and limits', () => {
  for (const id of [0, -1, 1.5, 2 ** 53]) assert.throws(() => node({ id }), { code: 'bad-argument' })
  assert.throws(() => node({ electionTicks: 1 }), { code: 'bad-argument' })
  assert.throws(() => node({ inflightMessagesMax: 0 }), { code: 'bad-argument' })
  assert.throws(() => node({ messageBytesMax: Number.NaN }), { code: 'bad-argument' })
})

test('RaftNode refuses a state machine that is ahead of the log, or behind what the log still has', () => {
  const { entries, hardState } = bootstrapState([1])
  assert.throws(() => node({ state: { entries, hardState, applied: 2 } }), { code: 'corrupt' })
  const snapshot = { index: 5, term: 1, configuration: configuration({ voters: [1] }) }
  assert.throws(() => node({ state: { snapshot, applied: 3 } }), { code: 'corrupt' })
})

test('RaftNode refuses numbers and members that no disk can hold, and terms that it never entered', () => {
  const entries = [{ index: 1, term: 5, kind: 'empty', data: new Uint8Array(0) }] as const
  const hardState = { term: 5, vote: 0, commit: 0 }
  const states = [
    { hardState: { ...hardState, term: -1 } },
    { hardState: { ...hardState, vote: 1.5 } },
    { hardState: { ...hardState, commit: Number.NaN } },
    { hardState, entries: [{ ...entries[0], term: Number.NaN }] },
    { hardState: { ...hardState, term: 4 }, entries },
    { hardState, snapshot: { index: 3, term: 6, configuration: configuration({ voters: [1] }) } },
    { configuration: configuration({ voters: [0] }) },
    { configuration: configuration({ voters: [1], learners: [1] }) },
  ]
  for (const state of states) assert.throws(() => node({ state }), { code: 'corrupt' })
  assert.equal(node({ state: { hardState, entries } }).term, 5)
  assert.equal(node({ state: { entries } }).term, 5)
})

test('bootstrapState() refuses a group of nobody, and ids that cannot be', () => {
  for (const ids of [[], [0], [1, 1.5]]) assert.throws(() => bootstrapState(ids), { code: 'bad-argument' })
})

test('setElectionTimeout() takes whole numbers of ticks, or none', () => {
  for (const ticks of [0, -3, 1.5, Number.NaN]) {
    assert.throws(() => node().setElectionTimeout(ticks), { code: 'bad-argument' })
  }
  const raft = node(VOTER)
  raft.setElectionTimeout(3)
  assert.equal(raft.status().electionTimeout, 3)
  raft.setElectionTimeout(undefined)
  assert.ok(raft.status().electionTimeout >= 10)
})

test('step() refuses what is not for this node, from nobody, or no message at all, and changes nothing', () => {
  const good: Message = { type: 'heartbeat', from: 2, to: 1, term: 3, commit: 0, readRound: 0 }
  const bad: object[] = [
    { ...good, to: 2 },
    { ...good, from: 1 },
    { ...good, from: 0 },
    { ...good, term: -1 },
    { ...good, term: Number.NaN },
    { ...good, type: 'gossip' },
    {},
  ]
  const raft = node()
  for (const message of bad) assert.throws(() => raft.step(message as Message), { code: 'bad-input' })
  assert.equal(raft.status().term, 0)
  raft.step(good)
  assert.equal(raft.status().term, 3)
})

test('a group of one elects itself, commits and applies, each when it is durable', () => {
  const raft = node(VOTER)
  raft.campaign()
  assert.equal(raft.status().role, 'candidate')
  drain(raft)
  assert.equal(raft.status().role, 'leader')
  const proposed = raft.propose([Uint8Array.of(1), Uint8Array.of(2)])
  assert.deepEqual(proposed, { first: 2, last: 3, term: 1 })
  const applied = drain(raft).flatMap(({ committed }) => committed)
  assert.deepEqual(
    applied.map(({ index, data }) => [index, ...data]),
    [
      [2, 1],
      [3, 2],
    ],
  )
})

test('proposals of one turn become one write; a batch without any is refused', () => {
  const raft = node(VOTER)
  raft.campaign()
  drain(raft)
  assert.throws(() => raft.propose([]), { code: 'bad-argument' })
  for (let count = 0; count < 100; count += 1) raft.propose([Uint8Array.of(count)])
  const writes = drain(raft).filter(({ entries }) => entries.length > 0)
  assert.deepEqual(
    writes.map(({ entries }) => entries.length),
    [100],
  )
})

test('what is handed out to be applied is bounded, until some of it is applied', () => {
  const raft = node({ ...VOTER, applyBytesMax: 100 })
  raft.campaign()
  drain(raft)
  raft.propose(Array.from({ length: 10 }, () => new Uint8Array(24)))
  const written = raft.ready()!
  raft.persisted(written.token!)
  const first = raft.ready()!
  assert.equal(first.committed.length, 2)
  if (first.token !== undefined) raft.persisted(first.token)
  const second = raft.ready()
  assert.equal(second?.committed.length ?? 0, 1, 'one more goes over the bound, as one always may')
  assert.equal(raft.ready(), undefined)
  raft.applied(first.committed.at(-1)!.index)
  assert.ok(raft.ready()!.committed.length > 0)
})

test('applied() wants what was handed out, in order, with its changes of configuration', () => {
  const raft = node({ state: bootstrapState([1]) })
  const { committed } = raft.ready()!
  assert.throws(() => raft.applied(2), /not handed out/)
  assert.throws(() => raft.applied(1), /without applyConfigChange/)
  raft.applyConfigChange(committed[0]!)
  raft.applied(1)
  assert.throws(() => raft.applied(0), /applied after/)
  assert.deepEqual(raft.status().configuration.voters, [1])
})

test('an election timeout is drawn between one and two times the limit, or is what a test sets', () => {
  const drawn = new Set<number>()
  const raft = node({ state: { configuration: configuration({ voters: [1, 2] }) } })
  for (let count = 0; count < 200; count += 1) {
    raft.setElectionTimeout(undefined)
    drawn.add(raft.status().electionTimeout)
  }
  assert.deepEqual([Math.min(...drawn), Math.max(...drawn)], [10, 19])
  raft.setElectionTimeout(3)
  for (let count = 0; count < 3; count += 1) raft.tick()
  assert.equal(raft.status().role, 'pre-candidate')
  assert.equal(raft.status().electionTimeout, 3)
})

test('reads without a leader, and more than there is room for, are given up at once', () => {
  const lonely = node({ state: { configuration: configuration({ voters: [1, 2] }) } })
  lonely.readIndex('a')
  assert.deepEqual(lonely.ready()!.abortedReads, ['a'])
  const raft = node({ ...VOTER, pendingReadsMax: 1 })
  raft.campaign()
  drain(raft)
  raft.readIndex('b')
  raft.readIndex('c')
  const ready = raft.ready()!
  assert.deepEqual([ready.readStates, ready.abortedReads], [[{ index: 1, context: 'b' }], ['c']])
})

test('compact() and snapshotTaken() keep compacted ≤ snapshot ≤ applied', () => {
  const raft = node({ state: bootstrapState([1]), preVote: false })
  drain(raft)
  raft.campaign()
  drain(raft)
  raft.propose([Uint8Array.of(1), Uint8Array.of(2)])
  drain(raft)
  assert.throws(() => raft.compact(1), { code: 'bad-argument' })
  assert.throws(() => raft.snapshotMetadata(9), { code: 'bad-argument' })
  const snapshot = raft.snapshotMetadata(3)
  assert.throws(() => raft.snapshotTaken({ ...snapshot, index: 9 }), /not applied/)
  assert.throws(() => raft.snapshotTaken({ ...snapshot, term: 9 }), /is of term 9: it is of/)
  assert.throws(() => raft.compact(Number.NaN), { code: 'bad-argument' })
  raft.snapshotTaken(snapshot)
  assert.throws(() => raft.compact(4), { code: 'bad-argument' })
  raft.compact(3)
  assert.deepEqual([raft.status().firstIndex, raft.status().snapshotIndex], [4, 3])
  assert.throws(() => raft.snapshotMetadata(2), { code: 'bad-argument' })
})

test('a change that the configuration does not allow is applied as no change', () => {
  const { entries, hardState } = bootstrapState([1])
  const leave = { index: 2, term: 1, kind: 'config', data: Uint8Array.of(1, 3, 0, 0) } as const
  const raft = node({ state: { entries: [...entries, leave], hardState: { ...hardState, commit: 2 } } })
  drain(raft)
  assert.deepEqual(raft.status().configuration, configuration({ voters: [1] }))
})

test('what was handed out to be applied before a snapshot came need not be applied any more', () => {
  const raft = node({ state: { configuration: configuration({ voters: [1, 2] }) } })
  const data = encodeConfigChange({ mode: 'auto', changes: [{ action: 'add-learner', id: 3 }] })
  const entries = [{ index: 1, term: 1, kind: 'config', data }] as const
  raft.step({ type: 'append', from: 2, to: 1, term: 1, prevIndex: 0, prevTerm: 0, entries, commit: 1 })
  raft.persisted(raft.ready()!.token!)
  assert.deepEqual(raft.ready()?.committed, entries)
  const snapshot = { index: 7, term: 1, configuration: configuration({ voters: [1, 2, 3] }) }
  raft.step({ type: 'snapshot', from: 2, to: 1, term: 1, snapshot })
  raft.persisted(raft.ready()!.token!)
  raft.applied(7)
  assert.deepEqual([raft.status().applied, raft.configuration.voters], [7, [1, 2, 3]])
})
