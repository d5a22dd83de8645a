import assert from 'node:assert/strict'
import { test } from 'node:test'
import { InvalidArgumentError } from 'commander'
import { commaList, durationMs, namedValues, wholeNumber } from './options.ts'
import { startPosition } from './start-position.ts'

test('durationMs() reads units, and milliseconds without one', () => {
  assert.deepEqual(
    ['500ms', '2s', '1.5m', '1h', '7d', '250'].map(durationMs),
    [500, 2000, 90_000, 3_600_000, 604_800_000, 250],
  )
  for (const wrong of ['', 's', '-1s', '2 s', '1w']) assert.throws(() => durationMs(wrong), InvalidArgumentError)
})

test('wholeNumber() keeps to its range', () => {
  assert.equal(wholeNumber(0, 10)('10'), 10)
  for (const wrong of ['11', '-1', '1.5', 'x', '']) assert.throws(() => wholeNumber(0, 10)(wrong), InvalidArgumentError)
})

test('namedValues() collects name=value, and the value may have more of them', () => {
  assert.deepEqual(namedValues('b=c=d', namedValues('a=')), { a: '', b: 'c=d' })
  assert.throws(() => namedValues('=x'), InvalidArgumentError)
})

test('commaList() drops nothing but empty items', () => {
  assert.deepEqual(commaList('a,b,,c'), ['a', 'b', 'c'])
  assert.deepEqual(commaList(''), [])
})

test('startPosition() reads words, times and positions', () => {
  assert.equal(startPosition('earliest'), 'earliest')
  assert.deepEqual(startPosition('2026-01-31T12:00:00Z'), { timestampMs: 1769860800000 })
  assert.deepEqual(startPosition('1769860800000'), { timestampMs: 1769860800000 })
  assert.deepEqual(startPosition('0:5,3:7'), [
    { partition: 0, sequence: 5 },
    { partition: 3, sequence: 7 },
  ])
  for (const wrong of ['yesterday', 'region 5', '0.5:1'])
    assert.throws(() => startPosition(wrong), InvalidArgumentError)
})
