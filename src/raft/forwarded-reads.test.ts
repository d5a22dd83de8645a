import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seededRandom } from '../../testing/index.ts'
import { ForwardedReads } from './forwarded-reads.ts'

test('one request carries all that gathered, and its answer is taken once', () => {
  const reads = new ForwardedReads(10, seededRandom(1))
  reads.add('a')
  reads.add('b')
  const request = reads.send()
  assert.deepEqual(reads.answered(request), ['a', 'b'])
  assert.deepEqual(reads.answered(request), [])
  assert.equal(reads.count, 0)
})

test('a request without an answer is given up after a while', () => {
  const reads = new ForwardedReads(10, seededRandom(1))
  reads.add('a')
  reads.send()
  reads.tick(3)
  reads.add('b')
  reads.send()
  assert.deepEqual(reads.tick(3), [])
  assert.deepEqual(reads.tick(3), ['a'])
  assert.deepEqual(reads.tick(3), ['b'])
  assert.equal(reads.count, 0)
})

test('a restarted node numbers its requests from elsewhere', () => {
  const random = seededRandom(1)
  const before = new ForwardedReads(10, random)
  const after = new ForwardedReads(10, random)
  assert.notEqual(before.send(), after.send())
})

test('there is room for so many reads and no more; giving up makes room', () => {
  const reads = new ForwardedReads(2, seededRandom(1))
  reads.add('a')
  reads.send()
  reads.add('b')
  assert.equal(reads.add('c'), false)
  assert.deepEqual(reads.abort(), ['a', 'b'])
  assert.equal(reads.add('c'), true)
})
