import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { PendingIntent } from './pending-intent.ts'

function pendingOf(...agentIds: string[]): PendingIntent {
  const pending = new PendingIntent({ intentId: 'one', bodyHash: 'h', type: 'move-to', deadlineMs: 5 })
  pending.add(agentIds.map((agentId) => ({ agentId, epoch: 3, held: false })))
  return pending
}

describe('PendingIntent', () => {
  it('keeps the first outcome of each agent, but lets what is known take the place of unknown', () => {
    const pending = pendingOf('a')
    pending.report('a', { state: 'unknown', atMs: 0 })
    pending.report('a', { state: 'done', atMs: 0 })
    pending.report('a', { state: 'unknown', atMs: 0 })
    pending.report('a', { state: 'expired', atMs: 0 })
    assert.equal(pending.outcome('a')?.state, 'done')
  })

  it('resolves when the agents asked for have answered, and rejects with the reason of an abort', async () => {
    const pending = pendingOf('a', 'b')
    const stop = new AbortController()
    const one = pending.answered(['a'], stop.signal)
    const both = pending.answered(['a', 'b'], stop.signal)
    pending.report('a', { state: 'done', atMs: 0 })
    await one
    stop.abort(new Error('enough'))
    await assert.rejects(both, /enough/)
    assert.deepEqual(pending.unanswered, ['b'])
  })

  it('keeps the epoch that an agent was sent to first', () => {
    const pending = pendingOf('a')
    pending.add([{ agentId: 'a', epoch: 9, held: true }])
    assert.deepEqual(pending.addressee('a'), { agentId: 'a', epoch: 3, held: false })
  })
})
