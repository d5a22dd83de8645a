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

test('HeldKeys holds a key back until all that was released has come again, whatever a driver gave ahead', () => {
  const held = new HeldKeys()
  held.hold('a', 10)
  assert.equal(held.holdsBack('a', 12), true)
  assert.equal(held.holdsBack('a', 13), true)
  assert.equal(held.holdsBack('a', 10), false)
  assert.equal(held.holdsBack('a', 20), true, 'given before the driver heard that 12 and 13 were released')
  for (const sequence of [12, 13, 20]) assert.equal(held.holdsBack('a', sequence), false)
  assert.equal(held.isEmpty, true)
})

test('HeldKeys frees a key although something that was released never comes again', () => {
  const held = new HeldKeys()
  held.hold('a', 10)
  assert.equal(held.holdsBack('a', 12), true)
  assert.equal(held.holdsBack('a', 13), true)
  assert.equal(held.holdsBack('a', 13), false, '10 is dead and 12 has expired')
  assert.equal(held.isEmpty, true)
  assert.equal(held.holdsBack('a', 14), false)
})
