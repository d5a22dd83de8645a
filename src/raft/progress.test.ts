import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Progress } from './progress.ts'

const LIMITS = { messagesMax: 3, bytesMax: 1_000 }
const append = (commit = 0) => ({ bytes: 10, commit })

test('a probing peer gets one append, and the next when it has answered it or a heartbeat', () => {
  const progress = new Progress(LIMITS, 5)
  assert.deepEqual([progress.state, progress.next, progress.paused], ['probe', 5, false])
  progress.sent(2, append())
  assert.deepEqual([progress.next, progress.paused], [5, true])
  progress.heartbeatAnswered(9)
  assert.equal(progress.paused, false)
})

test('a replicating peer gets appends ahead of its acknowledgments, as many as the window holds', () => {
  const progress = new Progress(LIMITS, 1)
  progress.becomeReplicate()
  for (let count = 0; count < 3; count += 1) progress.sent(2, append())
  assert.deepEqual([progress.next, progress.paused, progress.inflight.count], [7, true, 3])
  assert.equal(progress.accepted(2), true)
  assert.deepEqual([progress.match, progress.paused, progress.inflight.count], [2, false, 2])
  assert.equal(progress.accepted(2), false, 'the same again is no news')
  assert.equal(progress.accepted(1), false, 'nor is less')
})

test('a refusal while replicating leads to probing where the peer ends; one that is out of date to nothing', () => {
  const progress = new Progress(LIMITS, 1)
  progress.becomeReplicate()
  progress.sent(9, append())
  progress.accepted(4)
  assert.equal(progress.rejected(4, 0), false)
  assert.equal(progress.rejected(9, 6), true)
  assert.deepEqual([progress.state, progress.next, progress.inflight.count], ['probe', 7, 0])
  assert.equal(progress.rejected(9, 2), false, 'it answers an append that is not the probe')
  assert.equal(progress.rejected(6, 2), true)
  assert.equal(progress.next, 5, 'never at or before what it has acknowledged')
})

test('nothing is sent to a peer that is being given a snapshot; then it is probed behind it', () => {
  const progress = new Progress(LIMITS, 1)
  progress.becomeSnapshot(20)
  assert.deepEqual([progress.paused, progress.pendingSnapshot, progress.next], [true, 20, 21])
  assert.equal(progress.rejected(20, 3), false)
  progress.snapshotEnded(true)
  assert.deepEqual([progress.state, progress.next, progress.paused], ['probe', 21, true])
  progress.heartbeatAnswered(30)
  assert.equal(progress.paused, false)
  progress.becomeSnapshot(20)
  progress.snapshotEnded(false)
  assert.deepEqual([progress.state, progress.next], ['probe', 1])
})

test('a peer is told of a commit it could make, once', () => {
  const progress = new Progress(LIMITS, 1)
  progress.becomeReplicate()
  progress.sent(5, append(2))
  assert.deepEqual([progress.needsCommit(2), progress.needsCommit(4)], [false, true])
  progress.sent(0, append(4))
  assert.equal(progress.needsCommit(4), false)
  progress.sent(0, append(9))
  assert.equal(progress.needsCommit(9), false, 'it has nothing to commit beyond entry 5')
})

test('a new leader begins with nothing known', () => {
  const progress = new Progress(LIMITS, 1)
  progress.becomeReplicate()
  progress.sent(5, append(5))
  progress.accepted(5)
  progress.recentlyActive = true
  progress.readRound = 7
  progress.restart(9)
  assert.deepEqual([progress.state, progress.match, progress.next, progress.readRound], ['probe', 0, 9, 0])
  assert.equal(progress.recentlyActive, false)
})

test('match stays below next and never falls, whatever a peer answers', () => {
  const index = fc.nat({ max: 20 })
  const action = fc.oneof(
    fc.record({ accepted: index }),
    fc.record({ rejected: index, hint: index }),
    fc.record({ sent: fc.nat({ max: 4 }) }),
    fc.constantFrom({ probe: true }, { replicate: true }, { heartbeat: true }, { lost: true }),
    fc.record({ snapshot: index }),
  )
  fc.assert(
    fc.property(fc.array(action, { maxLength: 40 }), (actions) => {
      const progress = new Progress(LIMITS, 10)
      for (const each of actions) {
        const before = progress.match
        if ('accepted' in each) progress.accepted(each.accepted)
        else if ('rejected' in each) progress.rejected(each.rejected, each.hint)
        else if ('sent' in each && !progress.paused) progress.sent(each.sent, append())
        else if ('probe' in each) progress.becomeProbe()
        else if ('replicate' in each) progress.becomeReplicate()
        else if ('heartbeat' in each) progress.heartbeatAnswered(20)
        else if ('snapshot' in each) progress.becomeSnapshot(each.snapshot)
        else if ('lost' in each && progress.state === 'snapshot') progress.snapshotEnded(false)
        assert.ok(progress.match < progress.next && progress.match >= before)
      }
    }),
  )
})
