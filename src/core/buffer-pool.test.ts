import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BufferPool } from './buffer-pool.ts'

test('BufferPool gives memory again that was given back, within its bound', () => {
  const pool = new BufferPool(64 * 1024)
  const first = pool.take(40_000)
  const second = pool.take(40_000)
  pool.give(first)
  pool.give(second)
  assert.equal(pool.take(33_000), first)
  assert.notEqual(pool.take(33_000), second)
})
