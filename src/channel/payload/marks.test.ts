import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { formatChunkMark, parseChunkMark } from './chunk-header.ts'
import { formatClaimMark, parseClaimMark } from './claim-header.ts'

test('a chunk mark survives being written and read, whatever names its set', () => {
  const marks = fc
    .record({
      set: fc.string({ minLength: 1 }),
      count: fc.integer({ min: 1, max: 9_999_999 }),
      bytes: fc.nat(67_108_864),
    })
    .chain((mark) => fc.record({ index: fc.nat(mark.count - 1) }).map(({ index }) => ({ ...mark, index })))
  fc.assert(fc.property(marks, (mark) => assert.deepEqual(parseChunkMark(formatChunkMark(mark)), mark)))
})

test('a claim mark survives being written and read', () => {
  const mark = { name: 'claims/t/0190', bytes: 12, sha256: 'a'.repeat(64) }
  assert.deepEqual(parseClaimMark(formatClaimMark(mark)), mark)
})

test('what is no mark is none', () => {
  for (const text of ['', '1;2;3', '2;2;10;s', '-1;2;10;s', '1;0;10;s', 'x']) {
    assert.equal(parseChunkMark(text), undefined, text)
  }
  for (const text of ['', '1;abc;name', `x;${'a'.repeat(64)};n`]) assert.equal(parseClaimMark(text), undefined, text)
})
