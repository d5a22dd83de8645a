import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ReadRounds } from './read-rounds.ts'

test('reads gather until a round begins, and a confirmed round answers those before it too', () => {
  const rounds = new ReadRounds(10)
  rounds.add('a')
  rounds.addRemote({ from: 2, request: 7 })
  rounds.begin(5)
  rounds.add('b')
  rounds.begin(6)
  rounds.add('c')
  assert.deepEqual([rounds.latest, rounds.count, rounds.hasGathered], [2, 4, true])
  assert.deepEqual(rounds.confirmed(0), [])
  assert.deepEqual(rounds.confirmed(2), [
    { round: 1, index: 5, contexts: ['a'], remote: [{ from: 2, request: 7 }] },
    { round: 2, index: 6, contexts: ['b'], remote: [] },
  ])
  assert.equal(rounds.count, 1)
})

test('there is room for so many reads and no more; giving up makes room', () => {
  const rounds = new ReadRounds(2)
  rounds.add('a')
  rounds.begin(1)
  assert.equal(rounds.addRemote({ from: 2, request: 1 }), true)
  assert.equal(rounds.add('b'), false)
  assert.equal(rounds.addRemote({ from: 2, request: 2 }), false)
  assert.deepEqual(rounds.abort(), ['a'])
  assert.deepEqual([rounds.count, rounds.hasGathered], [0, false])
  rounds.add('c')
  rounds.begin(3)
  assert.equal(rounds.latest, 2, 'the number of a round is never used again')
})
