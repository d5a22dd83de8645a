import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SparseIndex } from './sparse-index.ts'

const KIB = 1024

function indexOf(positions: readonly number[]): SparseIndex {
  const index = new SparseIndex()
  for (const [offset, position] of positions.entries()) index.note(offset, position, 0)
  return index
}

test('a read ends at the last noted batch that begins within the bytes asked for', () => {
  const index = indexOf([0, 100 * KIB, 200 * KIB, 300 * KIB])
  assert.equal(index.boundaryAfter(0, 250 * KIB), 200 * KIB)
  assert.equal(index.boundaryAfter(0, 200 * KIB), 200 * KIB)
  assert.equal(index.boundaryAfter(100 * KIB, 150 * KIB), 200 * KIB)
})

test('a batch larger than what was asked for is read to its end', () => {
  const index = indexOf([0, 300 * KIB])
  assert.equal(index.boundaryAfter(0, 64 * KIB), 300 * KIB)
})

test('behind the last noted batch nothing is known of where one ends', () => {
  assert.equal(indexOf([]).boundaryAfter(0, 64 * KIB), undefined)
  assert.equal(indexOf([0, 100 * KIB]).boundaryAfter(100 * KIB, 64 * KIB), undefined)
  assert.equal(indexOf([0, 100 * KIB]).boundaryAfter(120 * KIB, 64 * KIB), undefined)
})
