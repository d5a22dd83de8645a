import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { missedTime } from './missed-time.ts'
import { systemClock } from './system/index.ts'

/** A machine with a monotonic clock, a wall clock, and one that counts suspended time. */
function machine() {
  const at = { monotonic: 500, wall: 1_700_000_000_000, boot: 90_000 }
  const pass = (ms: number) => {
    at.monotonic += ms
    at.wall += ms
    at.boot += ms
  }
  const missedMs = missedTime({ monotonicMs: () => at.monotonic, others: [() => at.wall, () => at.boot] })
  return { at, pass, missedMs }
}

describe('missedTime()', () => {
  it('is nothing while all clocks go on together', () => {
    const { pass, missedMs } = machine()
    for (let n = 0; n < 10; n += 1) {
      pass(1_000)
      assert.equal(missedMs(), 0)
    }
  })

  it('is what the machine was suspended, whatever was done to the wall clock meanwhile', () => {
    for (const jump of [0, -3_600_000]) {
      const { at, pass, missedMs } = machine()
      pass(100)
      at.boot += 60_000
      at.wall += 60_000 + jump
      pass(5)
      assert.equal(missedMs(), 60_000)
    }
  })

  it('is what the wall clock went ahead where no other clock tells, and nothing when it was set back', () => {
    const { at, pass, missedMs } = machine()
    at.wall += 30_000
    pass(5)
    assert.equal(missedMs(), 30_000)
    at.wall -= 90_000
    pass(5)
    assert.equal(missedMs(), 0)
  })

  it('stays small on this machine, which is awake', async () => {
    const beforeMs = systemClock.missedMs()
    await systemClock.sleep(50)
    assert.ok(systemClock.missedMs() - beforeMs < 200, `${systemClock.missedMs()} ms`)
  })
})
