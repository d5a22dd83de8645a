import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { seededRandom } from './seeded-random.ts'
import { SimulatedClock } from './simulated-clock.ts'

describe('SimulatedClock', () => {
  it('fires timers in the order of due times, then of setting, and only as time passes', async () => {
    const clock = new SimulatedClock()
    const fired: string[] = []
    clock.setTimer(() => fired.push(`late at ${clock.monotonicMs()}`), 20)
    clock.setTimer(() => fired.push('first'), 10)
    clock.setTimer(() => fired.push('second'), 10)
    await clock.advance(9)
    assert.deepEqual(fired, [])
    await clock.advance(11)
    assert.deepEqual(fired, ['first', 'second', 'late at 20'])
    assert.equal(clock.timers, 0)
  })

  it('lets what a timer sets off finish before the next timer fires', async () => {
    const clock = new SimulatedClock()
    const order: string[] = []
    clock.setTimer(async () => {
      await Promise.resolve()
      clock.setImmediate(() => order.push('immediate of the first'))
      clock.setTimer(() => order.push('set by the first'), 1)
    }, 1)
    clock.setTimer(() => order.push('second'), 3)
    await clock.advance(5)
    assert.deepEqual(order, ['immediate of the first', 'set by the first', 'second'])
  })

  it('does not fire a cancelled timer', async () => {
    const clock = new SimulatedClock()
    let fired = false
    clock
      .setTimer(() => {
        fired = true
      }, 1)
      .cancel()
    await clock.advance(2)
    assert.equal(fired, false)
  })

  it('sleep() resolves after its time and rejects with the reason of an abort', async () => {
    const clock = new SimulatedClock()
    let done = false
    void clock.sleep(5).then(() => {
      done = true
    })
    await clock.advance(5)
    await clock.settle()
    assert.equal(done, true)
    const stop = new AbortController()
    const sleeping = clock.sleep(5, { signal: stop.signal })
    stop.abort(new Error('enough'))
    await assert.rejects(sleeping, /enough/)
    assert.equal(clock.timers, 0)
  })

  it('jumps the wall clock without moving the monotonic one', async () => {
    const clock = new SimulatedClock({ startMs: 1_000_000 })
    await clock.advance(10)
    clock.jumpWall(-3_600_000)
    assert.equal(clock.nowMs(), 1_000_010 - 3_600_000)
    assert.equal(clock.monotonicMs(), 10)
  })

  it('advanceUntil() stops when the condition holds and gives up at its limit', async () => {
    const clock = new SimulatedClock()
    let ready = false
    clock.setTimer(() => {
      ready = true
    }, 35)
    await clock.advanceUntil(() => ready)
    assert.equal(clock.monotonicMs(), 40)
    await assert.rejects(
      clock.advanceUntil(() => false, { limitMs: 100 }),
      { code: 'timeout' },
    )
  })

  it('until() lets pass what the work needs, gives its result, and gives up at its limit', async () => {
    const clock = new SimulatedClock()
    assert.equal(await clock.until(clock.sleep(5).then(() => 'done')), 'done')
    assert.equal(clock.monotonicMs(), 5)
    await assert.rejects(clock.until(Promise.reject(new Error('failed'))), /failed/)
    await assert.rejects(clock.until(new Promise(() => {}), { limitMs: 10 }), { code: 'timeout' })
  })
})

describe('seededRandom()', () => {
  it('gives the same numbers for the same seed, in [0, 1)', () => {
    const one = seededRandom(42)
    const other = seededRandom(42)
    for (let index = 0; index < 1_000; index += 1) {
      const value = one.float()
      assert.equal(value, other.float())
      assert.ok(value >= 0 && value < 1)
    }
    assert.deepEqual(one.bytes(16), other.bytes(16))
    assert.notDeepEqual(seededRandom(43).bytes(16), seededRandom(42).bytes(16))
  })
})
