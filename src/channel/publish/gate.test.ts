import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Gate } from './gate.ts'

test('Gate lets what it holds go in order, one at a time, and opens behind it', async () => {
  const gate = new Gate('t')
  const log: string[] = []
  const first = Promise.withResolvers<void>()
  const works = [
    gate.hold(1, async () => {
      log.push('first begins')
      await first.promise
      log.push('first ends')
    }),
    gate.hold(1, async () => {
      log.push('second fails')
      throw new Error('refused')
    }),
    gate.hold(1, async () => {
      log.push('third')
    }),
  ]
  assert.equal(gate.isOpen, false)
  first.resolve()
  const results = await Promise.allSettled(works)
  assert.deepEqual(
    results.map(({ status }) => status),
    ['fulfilled', 'rejected', 'fulfilled'],
  )
  assert.deepEqual(log, ['first begins', 'first ends', 'second fails', 'third'])
  assert.equal(gate.isOpen, true)
})

test('Gate refuses more than its bounds of messages and of bytes', async () => {
  const blocked = Promise.withResolvers<void>()
  const gate = new Gate('t')
  const held = Array.from({ length: 1_000 }, () => gate.hold(1, () => blocked.promise))
  await assert.rejects(
    gate.hold(1, () => blocked.promise),
    { code: 'overloaded', retryable: true },
  )
  const heavy = new Gate('t')
  const one = heavy.hold(100 * 1024 * 1024, () => blocked.promise)
  await assert.rejects(
    heavy.hold(29 * 1024 * 1024, () => blocked.promise),
    { code: 'overloaded' },
  )
  blocked.resolve()
  await Promise.all([...held, one])
  await gate.hold(1, async () => {})
})
