import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { AckTracker } from './ack-tracker.ts'

const at = (sequence: number) => ({ partition: 0, sequence })

describe('AckTracker', () => {
  it('acknowledges only as far as everything before is done', () => {
    const tracker = new AckTracker()
    for (const sequence of [3, 5, 9]) tracker.given(at(sequence))
    assert.equal(tracker.done(at(5)), undefined)
    assert.deepEqual(tracker.done(at(3)), at(5))
    assert.deepEqual(tracker.done(at(9)), at(9))
    assert.equal(tracker.open, 0)
  })

  it('acknowledges one again that was given again', () => {
    const tracker = new AckTracker()
    tracker.given(at(3))
    tracker.done(at(3))
    tracker.given(at(3))
    assert.deepEqual(tracker.done(at(3)), at(3))
    tracker.given(at(4))
    tracker.given(at(4))
    assert.equal(tracker.open, 1)
  })

  it('never passes one that is not done, and ends with the last, in every order', () => {
    const order = fc.integer({ min: 1, max: 20 }).chain((count) =>
      fc.shuffledSubarray(
        Array.from({ length: count }, (_, index) => index),
        { minLength: count },
      ),
    )
    fc.assert(
      fc.property(order, (sequences) => {
        const tracker = new AckTracker()
        for (let sequence = 0; sequence < sequences.length; sequence += 1) tracker.given(at(sequence))
        const done = new Set<number>()
        let acknowledged = -1
        for (const sequence of sequences) {
          done.add(sequence)
          const through = tracker.done(at(sequence))
          if (through === undefined) continue
          assert.ok(through.sequence > acknowledged)
          acknowledged = through.sequence
          for (let before = 0; before <= acknowledged; before += 1) assert.ok(done.has(before))
        }
        assert.equal(acknowledged, sequences.length - 1)
      }),
    )
  })
})
