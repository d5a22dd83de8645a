import assert from 'node:assert/strict'
import { test } from 'node:test'
import { streamFilters } from './stream-filters.ts'

test('a filter that another holds is left out: the server refuses overlapping ones', () => {
  assert.deepEqual(streamFilters(['a.>', 'a.b', 'c'], false).server, ['a.>', 'c'])
  assert.deepEqual(streamFilters(['a', 'a'], false).server, ['a'])
})

test('filters that overlap only in part are applied here', () => {
  const { server, wants } = streamFilters(['a.*.c', 'a.b.*'], false)
  assert.equal(server, undefined)
  assert.deepEqual(['a.x.c', 'a.b.x', 'a.x.y'].map(wants!), [true, true, false])
})

test('on a compacted topic the server knows only keys, so filters are applied here', () => {
  assert.equal(streamFilters(['a.*'], true).server, undefined)
})

test('a bad filter is refused', () => {
  assert.throws(() => streamFilters(['a.>.b'], false), { code: 'bad-subject' })
})
