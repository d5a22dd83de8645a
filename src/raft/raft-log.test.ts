import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { configuration } from './configuration.ts'
import type { Entry } from './entry.ts'
import { RaftLog } from './raft-log.ts'

const NONE = configuration()

function entries(terms: readonly number[], first = 1): Entry[] {
  return terms.map((term, at) => ({ index: first + at, term, kind: 'command', data: new Uint8Array(10) }))
}

function log(terms: readonly number[], commit = 0): RaftLog {
  return new RaftLog({ entries: entries(terms), hardState: { term: 9, vote: 0, commit } })
}

function termsOf(raftLog: RaftLog): number[] {
  return raftLog.slice(raftLog.firstIndex, { bytesMax: Number.MAX_SAFE_INTEGER }).map(({ term }) => term)
}

test('merge() keeps what is equal, replaces what conflicts, and appends the rest', () => {
  const cases: Array<[have: number[], first: number, given: number[], result: number[], cut: number | undefined]> = [
    [[1, 1, 2], 4, [2, 3], [1, 1, 2, 2, 3], undefined],
    [[1, 1, 2], 2, [1, 2], [1, 1, 2], undefined],
    [[1, 1, 2], 2, [1], [1, 1, 2], undefined],
    [[1, 1, 2, 2], 3, [3], [1, 1, 3], 2],
    [[1, 1, 2, 2], 2, [1, 3, 3, 3], [1, 1, 3, 3, 3], 2],
    [[], 1, [1], [1], undefined],
  ]
  for (const [have, first, given, result, cut] of cases) {
    const raftLog = log(have)
    assert.equal(raftLog.merge(entries(given, first)), cut)
    assert.deepEqual(termsOf(raftLog), result)
  }
})

test('merge() stops the node rather than replace a committed entry', () => {
  assert.throws(() => log([1, 1, 2], 3).merge(entries([3], 3)), /Assertion failed: entry 3 is committed/)
  assert.throws(() => log([1]).commitTo(2), /lost entries/)
})

test('after a merge the log begins as the leader’s does, through the last entry given', () => {
  const terms = fc.array(fc.integer({ min: 1, max: 4 }), { maxLength: 12 }).map((list) => list.sort())
  fc.assert(
    fc.property(terms, terms, fc.nat(), fc.nat(), (mine, leaders, from, count) => {
      let common = 0
      while (common < mine.length && mine[common] === leaders[common]) common += 1
      const prev = Math.min(from, common, leaders.length)
      const given = entries(leaders).slice(prev, prev + count)
      const raftLog = log(mine)
      const cut = raftLog.merge(given)
      const through = prev + given.length
      assert.deepEqual(termsOf(raftLog).slice(0, through), leaders.slice(0, through))
      // Without a conflict among what was given, nothing is lost.
      if (cut === undefined) assert.ok(raftLog.lastIndex >= mine.length)
      else assert.ok(mine[cut] !== leaders[cut])
    }),
  )
})

test('lastIndexWithTerm() is the last entry at or before an index with no later term', () => {
  const terms = fc.array(fc.integer({ min: 1, max: 5 }), { maxLength: 12 }).map((list) => list.sort())
  fc.assert(
    fc.property(terms, fc.nat({ max: 15 }), fc.nat({ max: 6 }), (mine, index, term) => {
      let expected = Math.min(index, mine.length)
      while (expected > 0 && mine[expected - 1]! > term) expected -= 1
      assert.deepEqual(log(mine).lastIndexWithTerm(index, term), {
        index: expected,
        term: expected === 0 ? 0 : mine[expected - 1],
      })
    }),
  )
})

test('slice() takes what fits, but one entry at least, and none beyond the end', () => {
  const raftLog = log([1, 1, 1, 1])
  const count = (bytesMax: number, through?: number) =>
    raftLog.slice(2, through === undefined ? { bytesMax } : { bytesMax, through }).length
  assert.deepEqual([count(1), count(26), count(52), count(1_000), count(1_000, 3), count(1_000, 1)], [1, 1, 2, 3, 2, 0])
  assert.deepEqual(raftLog.slice(5, { bytesMax: 9 }), [])
})

test('a compacted log still knows the term of its last compacted entry, and no other', () => {
  const raftLog = log([1, 2, 2, 3], 3)
  raftLog.compact(3)
  assert.deepEqual([raftLog.firstIndex, raftLog.lastIndex], [4, 4])
  assert.deepEqual(
    [2, 3, 4, 5].map((index) => raftLog.term(index)),
    [undefined, 2, 3, undefined],
  )
  raftLog.compact(2)
  assert.equal(raftLog.firstIndex, 4)
  raftLog.compact(4)
  assert.deepEqual([raftLog.firstIndex, raftLog.lastIndex, raftLog.lastTerm], [5, 4, 3])
  raftLog.append(entries([3], 5))
  assert.deepEqual(termsOf(raftLog), [3])
})

test('a log starts with entries from behind its snapshot, or from before it', () => {
  const snapshot = { index: 3, term: 2, configuration: NONE }
  const behind = new RaftLog({ snapshot, entries: entries([3, 3], 4) })
  assert.deepEqual([behind.firstIndex, behind.term(3), behind.commit], [4, 2, 3])
  const before = new RaftLog({ snapshot, entries: entries([2, 2, 3], 2) })
  // The term before entry 2 is not known, so it is the oldest that can be vouched for.
  assert.deepEqual([before.firstIndex, before.term(2), before.term(1)], [3, 2, undefined])
  const whole = new RaftLog({ snapshot, entries: entries([1, 2, 2, 3]) })
  assert.deepEqual([whole.firstIndex, whole.term(0)], [1, 0])
  const empty = new RaftLog({ snapshot })
  assert.deepEqual([empty.firstIndex, empty.lastIndex, empty.lastTerm], [4, 3, 2])
})

test('a stored log that cannot be is refused as corrupt', () => {
  const snapshot = { index: 3, term: 2, configuration: NONE }
  const hardState = { term: 9, vote: 0, commit: 7 }
  const bad = [
    { entries: entries([1], 2) },
    { entries: entries([2, 1]) },
    { entries: [...entries([1]), ...entries([1], 3)] },
    { hardState, entries: entries([1]) },
    { snapshot, entries: entries([4], 5) },
    { snapshot, entries: entries([1, 1, 1, 1]) },
    { snapshot, entries: entries([1, 1]) },
  ]
  for (const state of bad) assert.throws(() => new RaftLog(state), { code: 'corrupt' }, JSON.stringify(state))
})

test('what is handed out to be stored is handed out once, and again from where it is cut', () => {
  const raftLog = log([1])
  raftLog.append(entries([2, 2], 2))
  assert.deepEqual(
    raftLog.takeUnhanded().entries.map(({ index }) => index),
    [2, 3],
  )
  assert.deepEqual(raftLog.takeUnhanded().entries, [])
  raftLog.merge(entries([3], 3))
  assert.deepEqual(
    raftLog.takeUnhanded().entries.map(({ index, term }) => [index, term]),
    [[3, 3]],
  )
})

test('a snapshot from the leader replaces the log; what is durable of it is not more than was committed', () => {
  const raftLog = log([1, 1, 2, 2], 2)
  const snapshot = { index: 9, term: 4, configuration: NONE }
  assert.equal(raftLog.restore(snapshot), 2)
  assert.deepEqual([raftLog.firstIndex, raftLog.lastIndex, raftLog.commit, raftLog.stable], [10, 9, 9, 2])
  assert.equal(raftLog.pendingSnapshot, snapshot)
  assert.equal(raftLog.takeUnhanded().snapshot, snapshot)
  assert.equal(raftLog.pendingSnapshot, undefined)
})
