import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Outbox } from './outbox.ts'

const accepted = (to: number, index: number, term = 1) =>
  ({ type: 'append-accepted', from: 9, to, term, index }) as const

test('an acknowledgment takes the place of the smaller one before it, to the same leader in the same term', () => {
  const outbox = new Outbox()
  outbox.afterPersist(accepted(1, 3))
  outbox.afterPersist(accepted(1, 5))
  outbox.afterPersist(accepted(1, 4))
  outbox.afterPersist(accepted(2, 6))
  outbox.afterPersist(accepted(2, 7, 2))
  assert.deepEqual(outbox.takeAfterPersist(), [accepted(1, 5), accepted(1, 4), accepted(2, 6), accepted(2, 7, 2)])
  assert.deepEqual(outbox.takeAfterPersist(), [])
})

test('a refusal between two acknowledgments keeps both', () => {
  const outbox = new Outbox()
  const refused = { type: 'append-rejected', from: 9, to: 1, term: 1, index: 9, hintIndex: 3, hintTerm: 1 } as const
  outbox.afterPersist(accepted(1, 3))
  outbox.afterPersist(refused)
  outbox.afterPersist(accepted(1, 4))
  assert.deepEqual(outbox.takeAfterPersist(), [accepted(1, 3), refused, accepted(1, 4)])
})
