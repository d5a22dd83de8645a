import assert from 'node:assert/strict'
import { test } from 'node:test'
import { nearest } from './nearest.ts'

test('nearest() finds the word a typing mistake meant', () => {
  const keys = ['data', 'listen', 'limits', 'log']
  assert.equal(nearest('lisen', keys), 'listen')
  assert.equal(nearest('listne', keys), 'listen')
  assert.equal(nearest('DATA', keys), 'data')
  assert.equal(nearest('loog', keys), 'log')
})

test('nearest() proposes nothing when nothing is near', () => {
  assert.equal(nearest('colour', ['data', 'listen']), undefined)
  assert.equal(nearest('x', []), undefined)
})
