import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ToldRanges } from './told-ranges.ts'

function range(baseOffset: number, lastOffset: number) {
  return { baseOffset, lastOffset, byteLength: 100 }
}

test('ToldRanges joins what touches, and takes what is told again once', () => {
  const told = new ToldRanges()
  assert.ok(told.isEmpty)
  for (const one of [range(5, 6), range(5, 6), range(7, 9), range(20, 20)]) assert.equal(told.add(one), true)
  assert.deepEqual(told.first, { baseOffset: 5, lastOffset: 9, byteLength: 200 })
  told.passTo(9)
  assert.deepEqual(told.first, range(20, 20))
})

test('ToldRanges keeps what of a range has not been passed', () => {
  const told = new ToldRanges()
  told.add(range(5, 9))
  told.add(range(20, 29))
  told.passTo(6)
  assert.deepEqual(told.first, range(7, 9))
  told.passTo(15)
  assert.deepEqual(told.first, range(20, 29))
  told.passTo(29)
  assert.ok(told.isEmpty)
})

test('ToldRanges says when it can take no more', () => {
  const told = new ToldRanges()
  let taken = 0
  while (taken < 10_000 && told.add(range(taken * 2, taken * 2))) taken += 1
  assert.ok(taken > 0 && taken < 10_000, `${taken} were taken`)
  assert.equal(told.add(range(30_000, 30_000)), false)
  assert.equal(told.first?.baseOffset, 0)
})
