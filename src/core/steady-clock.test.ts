import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { SimulatedClock } from '../../testing/index.ts'
import { steadyClock } from './steady-clock.ts'

describe('steadyClock()', () => {
  it('goes on by the monotonic clock when the wall clock is set back, and follows it again once it has caught up', async () => {
    const machine = new SimulatedClock()
    const clock = steadyClock(machine)
    const startMs = clock.nowMs()
    await machine.advance(1_000)
    assert.equal(clock.nowMs(), startMs + 1_000)
    machine.jumpWall(-60_000)
    assert.equal(clock.nowMs(), startMs + 1_000)
    await machine.advance(500)
    assert.equal(clock.nowMs(), startMs + 1_500)
    machine.jumpWall(60_000)
    await machine.advance(1)
    assert.equal(clock.nowMs(), machine.nowMs())
  })

  it('goes on from a time that was told before, when the wall clock is behind it', async () => {
    const machine = new SimulatedClock()
    const clock = steadyClock(machine)
    const toldMs = machine.nowMs() + 3_600_000
    clock.notBefore(toldMs)
    assert.equal(clock.nowMs(), toldMs)
    await machine.advance(100)
    assert.equal(clock.nowMs(), toldMs + 100)
    clock.notBefore(toldMs)
    assert.equal(clock.nowMs(), toldMs + 100)
    machine.jumpWall(3_600_001)
    assert.equal(clock.nowMs(), machine.nowMs())
  })

  it('believes a wall clock that is ahead, and does not follow it back', async () => {
    const machine = new SimulatedClock()
    const clock = steadyClock(machine)
    machine.jumpWall(3_600_000)
    const aheadMs = clock.nowMs()
    assert.equal(aheadMs, machine.nowMs())
    machine.jumpWall(-3_600_000)
    assert.equal(clock.nowMs(), aheadMs)
  })
})
