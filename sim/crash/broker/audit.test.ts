import assert from 'node:assert/strict'
import { test } from 'node:test'
import { audit } from './audit.ts'

const SOUND = { acked: 3, lost: 0, reordered: 0, duplicateEffects: 0 }
const ACKED = ['a 0', 'a 1', 'b 0']

test('a history in which everything took effect once and in order has no fault', () => {
  assert.deepEqual(audit(ACKED, ['a 0', 'b 0', 'a 1']), SOUND)
})

test('what was never acknowledged may take effect', () => {
  assert.deepEqual(audit(ACKED, ['a 0', 'a 1', 'b 0', 'b 1']), SOUND)
})

test('an acknowledged message without an effect is lost', () => {
  assert.equal(audit(ACKED, ['a 0', 'b 0']).lost, 1)
})

test('an effect after a later one of its key is out of order', () => {
  assert.equal(audit(ACKED, ['a 1', 'a 0', 'b 0']).reordered, 1)
})

test('an effect that comes twice is counted, and is no disorder', () => {
  assert.deepEqual(audit(ACKED, ['a 0', 'a 1', 'b 0', 'a 0']), { ...SOUND, duplicateEffects: 1 })
})
