import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HeldKeys } from './held-keys.ts'

test('HeldKeys holds back later messages of a failed key until it comes again', () => {
  const held = new HeldKeys()
  held.hold('a', 10)
  assert.equal(held.holdsBack('a', 12), true)
  assert.equal(held.holdsBack('b', 13), false)
  assert.equal(held.holdsBack('a', 10), false, 'the failed one itself')
  assert.equal(held.holdsBack('a', 12), false, 'what was released comes behind it')
  assert.equal(held.isEmpty, true)
})

test('HeldKeys frees a key when what was released comes although the failed one did not: it is dead', () => {
  const held = new HeldKeys()
  held.hold('a', 10)
  assert.equal(held.holdsBack('a', 12), true)
  assert.equal(held.holdsBack('a', 15), true)
  assert.equal(held.holdsBack('a', 12), false)
  assert.equal(held.holdsBack('a', 15), false)
})

test('HeldKeys begins anew with each failure and with each assignment', () => {
  const held = new HeldKeys()
  held.hold('a', 10)
  assert.equal(held.holdsBack('a', 12), true)
  held.hold('a', 10)
  assert.equal(held.holdsBack('a', 12), true)
  held.clear()
  assert.equal(held.holdsBack('a', 14), false)
})
