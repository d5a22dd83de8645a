import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { configuration } from './configuration.ts'
import { committedIndex, majorityCommitted, majorityVote, type VoteResult, voteResult } from './quorum.ts'

const ids = fc.uniqueArray(fc.integer({ min: 1, max: 12 }), { maxLength: 9 })
const indexes = fc.array(fc.nat({ max: 6 }), { minLength: 13, maxLength: 13 })
const votes = fc.array(fc.constantFrom(true, false, undefined), { minLength: 13, maxLength: 13 })

/** The definition: the greatest index that more than half have. */
function naiveCommitted(voters: readonly number[], acknowledged: readonly number[]): number {
  if (voters.length === 0) return Number.POSITIVE_INFINITY
  const candidates = [0, ...voters.map((id) => acknowledged[id]!)]
  return Math.max(
    ...candidates.filter((index) => 2 * voters.filter((id) => acknowledged[id]! >= index).length > voters.length),
  )
}

/** The definition: won or lost when it is so however the open votes turn out. */
function naiveVote(voters: readonly number[], given: ReadonlyArray<boolean | undefined>): VoteResult {
  const won = (open: boolean) =>
    2 * voters.filter((id) => given[id] ?? open).length > voters.length || voters.length === 0
  if (won(false)) return 'won'
  return won(true) ? 'pending' : 'lost'
}

test('majorityCommitted() is the greatest index that more than half of the voters have acknowledged', () => {
  fc.assert(
    fc.property(ids, indexes, (voters, acknowledged) => {
      assert.equal(
        majorityCommitted(voters, (id) => acknowledged[id]!),
        naiveCommitted(voters, acknowledged),
      )
    }),
    { numRuns: 2_000 },
  )
})

test('committedIndex() of a joint configuration is the greatest that a majority of each half has', () => {
  fc.assert(
    fc.property(ids, ids, indexes, (voters, votersOutgoing, acknowledged) => {
      const both = Math.min(naiveCommitted(voters, acknowledged), naiveCommitted(votersOutgoing, acknowledged))
      assert.equal(
        committedIndex(configuration({ voters, votersOutgoing }), (id) => acknowledged[id]!),
        both,
      )
    }),
    { numRuns: 2_000 },
  )
})

test('majorityVote() is decided as soon as the open votes cannot change it, and not before', () => {
  fc.assert(
    fc.property(ids, votes, (voters, given) => {
      assert.equal(
        majorityVote(voters, (id) => given[id]),
        naiveVote(voters, given),
      )
    }),
    { numRuns: 2_000 },
  )
})

test('voteResult() of a joint configuration is won in both halves or lost in either', () => {
  fc.assert(
    fc.property(ids, ids, votes, (voters, votersOutgoing, given) => {
      const halves = [naiveVote(voters, given), naiveVote(votersOutgoing, given)]
      const expected = halves.includes('lost') ? 'lost' : halves.every((half) => half === 'won') ? 'won' : 'pending'
      assert.equal(
        voteResult(configuration({ voters, votersOutgoing }), (id) => given[id]),
        expected,
      )
    }),
    { numRuns: 2_000 },
  )
})

test('a quorum of more voters than ever before is counted right', () => {
  const voters = Array.from({ length: 101 }, (_, at) => at + 1)
  assert.equal(
    majorityCommitted(voters, (id) => id),
    51,
  )
})

test('a voter of whom nothing is known has acknowledged nothing', () => {
  const known = new Map([[1, 5]])
  assert.equal(
    majorityCommitted([1, 2, 3], (id) => known.get(id)),
    0,
  )
  assert.equal(
    committedIndex(configuration({ voters: [1], votersOutgoing: [2] }), (id) => known.get(id)),
    0,
  )
})
