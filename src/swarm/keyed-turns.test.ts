import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { KeyedTurns } from './keyed-turns.ts'

describe('KeyedTurns', () => {
  it('runs the work of one key in order, and other keys meanwhile', async () => {
    const turns = new KeyedTurns()
    const order: string[] = []
    const gate = Promise.withResolvers<void>()
    const first = turns.run('a', async () => {
      await gate.promise
      order.push('a1')
    })
    const second = turns.run('a', async () => order.push('a2'))
    await turns.run('b', async () => order.push('b1'))
    assert.deepEqual(order, ['b1'])
    assert.equal(turns.busy('a'), true)
    gate.resolve()
    await Promise.all([first, second])
    assert.deepEqual(order, ['b1', 'a1', 'a2'])
    await turns.idle()
    assert.equal(turns.busy('a'), false)
  })

  it('goes on after a failure, which only its own caller hears of', async () => {
    const turns = new KeyedTurns()
    const failed = turns.run('a', () => Promise.reject(new Error('no')))
    const next = turns.run('a', async () => 'done')
    await assert.rejects(failed, /no/)
    assert.equal(await next, 'done')
  })

  it('is bounded per key', async () => {
    const turns = new KeyedTurns()
    const gate = Promise.withResolvers<void>()
    const waiting = Array.from({ length: 64 }, () => turns.run('a', () => gate.promise))
    await assert.rejects(
      turns.run('a', async () => {}),
      { code: 'overloaded' },
    )
    gate.resolve()
    await Promise.all(waiting)
    await turns.run('a', async () => {})
  })
})
