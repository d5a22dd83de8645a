import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ApplyWindow } from './apply-window.ts'

test('room comes back when a whole batch is applied', () => {
  const window = new ApplyWindow(100)
  window.handedOut(3, 60)
  window.handedOut(5, 70)
  assert.equal(window.room, -30)
  window.applied(2)
  assert.equal(window.room, -30)
  window.applied(4)
  assert.equal(window.room, 30)
  window.applied(9)
  assert.equal(window.room, 100)
})
