import assert from 'node:assert/strict'
import { test } from 'node:test'
import { goodHistories, parseHistory } from '../../testing/index.ts'
import { countStaleReads } from './count-stale-reads.ts'

test('A read that gives what was overwritten before it began is stale', () => {
  const history = parseHistory(`
    a write x 1     @0-10
    a write x 2     @20-30
    b read  x   = 1 @31-40
    b read  x   = nil @31-40
    c cas   x 2>3 = yes @50-60
    b read  x   = 2 @61-70
  `)
  assert.equal(countStaleReads(history), 3)
})

test('A read that overlaps the write, and a value that may have come late, are not', () => {
  const history = parseHistory(`
    a write x 1     @0-10
    a write x 2     @20-30
    b read  x   = 1 @25-40
    c write x 9     @0-5 unknown
    b read  x   = 9 @41-50
    d write y 1     @0-30
    e write y 2     @10-20
    b read  y   = 1 @40-50
    c cas   x 7>8 = no @60-70
    b read  x   = 9 @80-90
  `)
  assert.equal(countStaleReads(history), 0)
})

test('Histories that are linearizable have none', () => {
  for (const { name, operations } of goodHistories) assert.equal(countStaleReads(operations), 0, name)
})
