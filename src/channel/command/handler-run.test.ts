import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { SimulatedClock } from '../../../testing/index.ts'
import { CommandRejected } from './command-rejected.ts'
import { HandlerRun, type HandlerRunOptions } from './handler-run.ts'

const REPLACED = { state: 'failed', reason: 'replaced', message: 'later' } as const

function run(clock: SimulatedClock, call: HandlerRunOptions['call'], completeWithinMs?: number): HandlerRun {
  return new HandlerRun({ clock, call, completeWithinMs, abortGraceMs: 1_000 })
}

describe('HandlerRun', () => {
  it('is done with the reply when the handler returns', async () => {
    const clock = new SimulatedClock()
    assert.deepEqual(await run(clock, async () => '{}', 500).verdict, { state: 'done', reply: '{}' })
    assert.deepEqual(await run(clock, async () => undefined).verdict, { state: 'done' })
    assert.equal(clock.timers, 0)
  })

  it('is rejected when the handler throws CommandRejected and failed when it throws anything else', async () => {
    const clock = new SimulatedClock()
    const refuse = run(clock, () => Promise.reject(new CommandRejected('no fuel')))
    assert.deepEqual(await refuse.verdict, { state: 'rejected', reason: 'refused', message: 'no fuel' })
    const fail = run(clock, () => Promise.reject(new Error('stalled')))
    assert.deepEqual(await fail.verdict, { state: 'failed', reason: 'handler-failed', message: 'stalled' })
  })

  it('aborts the signal and fails when the time limit passes', async () => {
    const clock = new SimulatedClock()
    let signal: AbortSignal | undefined
    const running = run(
      clock,
      (given) => {
        signal = given
        return new Promise((_, reject) => given.addEventListener('abort', () => reject(given.reason)))
      },
      50,
    )
    await clock.advance(49)
    assert.equal(signal?.aborted, false)
    await clock.advance(1)
    assert.equal(signal?.aborted, true)
    assert.equal((await running.verdict).reason, 'timed-out')
    await running.finished
    assert.equal(clock.timers, 0)
  })

  it('keeps the verdict of a handler that had returned before it was aborted', async () => {
    const clock = new SimulatedClock()
    const running = run(clock, async () => '1')
    await clock.settle()
    running.abort(REPLACED)
    assert.equal((await running.verdict).state, 'done')
  })

  it('is failed as soon as it is aborted, and finished only when the handler is, or its grace is over', async () => {
    const clock = new SimulatedClock()
    let finished = false
    const deaf = run(clock, () => new Promise(() => {}))
    void deaf.finished.then(() => {
      finished = true
    })
    deaf.abort(REPLACED)
    assert.deepEqual(await deaf.verdict, REPLACED)
    await clock.advance(999)
    assert.equal(finished, false)
    await clock.advance(1)
    assert.equal(finished, true)
  })
})
