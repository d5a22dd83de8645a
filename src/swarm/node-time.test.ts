import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { SimulatedClock } from '../../testing/index.ts'
import { NodeTimeEstimate } from './node-time.ts'

describe('NodeTimeEstimate', () => {
  it('knows nothing before an exchange', () => {
    assert.equal(new NodeTimeEstimate(new SimulatedClock()).latestMs(), undefined)
  })

  it('is never behind the node, whenever within the round trip the node looked at its clock', async () => {
    const clock = new SimulatedClock()
    const time = new NodeTimeEstimate(clock)
    const sentAtMs = clock.monotonicMs()
    const nodeOffsetMs = 5_000_000
    await clock.advance(40)
    const answeredWith = nodeOffsetMs + clock.monotonicMs()
    await clock.advance(60)
    time.exchanged(answeredWith, sentAtMs)
    const nodeNowMs = nodeOffsetMs + clock.monotonicMs()
    assert.ok(time.latestMs()! >= nodeNowMs)
    assert.ok(time.latestMs()! <= nodeNowMs + 41)
  })

  it('counts a pause between answer and use, and ignores jumps of the wall clock', async () => {
    const clock = new SimulatedClock()
    const time = new NodeTimeEstimate(clock)
    time.exchanged(1_000, clock.monotonicMs())
    clock.jumpWall(-3_600_000)
    await clock.advance(30_000)
    assert.ok(time.latestMs()! >= 31_000)
    assert.ok(time.latestMs()! <= 31_020)
  })
})
