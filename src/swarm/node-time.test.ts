import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { SimulatedClock } from '../../testing/index.ts'
import { momentOf, NodeTimeEstimate } from './node-time.ts'

describe('NodeTimeEstimate', () => {
  it('knows nothing before an exchange', () => {
    assert.equal(new NodeTimeEstimate(new SimulatedClock()).latestMs(), undefined)
  })

  it('is never behind the node, whenever within the round trip the node looked at its clock', async () => {
    const clock = new SimulatedClock()
    const time = new NodeTimeEstimate(clock)
    const askedAt = momentOf(clock)
    const nodeOffsetMs = 5_000_000
    await clock.advance(40)
    const answeredWith = nodeOffsetMs + clock.monotonicMs()
    await clock.advance(60)
    time.exchanged(answeredWith, askedAt)
    const nodeNowMs = nodeOffsetMs + clock.monotonicMs()
    assert.ok(time.latestMs()! >= nodeNowMs)
    assert.ok(time.latestMs()! <= nodeNowMs + 41)
  })

  it('knows no latest after a sleep that the monotonic clock did not count, until the node is asked again', async () => {
    for (const wallJumpMs of [0, -3_600_000]) {
      const clock = new SimulatedClock()
      const time = new NodeTimeEstimate(clock)
      time.exchanged(1_000, momentOf(clock))
      await clock.advance(100)
      clock.suspend(60_000)
      clock.jumpWall(wallJumpMs)
      assert.equal(time.latestMs(), undefined)
      assert.ok(time.earliestMs()! <= 61_100)
      time.exchanged(61_100, momentOf(clock))
      assert.ok(time.latestMs()! >= 61_100)
    }
  })

  it('knows no latest when the sleep came while the answer was on its way', () => {
    const clock = new SimulatedClock()
    const time = new NodeTimeEstimate(clock)
    const askedAt = momentOf(clock)
    clock.suspend(60_000)
    time.exchanged(1_000, askedAt)
    assert.equal(time.latestMs(), undefined)
  })

  it('is never behind the node after a sleep too short to doubt', () => {
    const clock = new SimulatedClock()
    const time = new NodeTimeEstimate(clock)
    time.exchanged(1_000, momentOf(clock))
    clock.suspend(200)
    assert.ok(time.latestMs()! >= 1_200)
  })

  it('counts a pause between answer and use, and ignores jumps of the wall clock', async () => {
    const clock = new SimulatedClock()
    const time = new NodeTimeEstimate(clock)
    time.exchanged(1_000, momentOf(clock))
    clock.jumpWall(-3_600_000)
    await clock.advance(30_000)
    assert.ok(time.latestMs()! >= 31_000)
    assert.ok(time.latestMs()! <= 31_020)
  })
})
