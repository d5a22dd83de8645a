import assert from 'node:assert/strict'
import { test } from 'node:test'
import { timestampMs } from './timestamp.ts'

test('timestampMs() reads ISO 8601 and milliseconds', () => {
  assert.equal(timestampMs('2026-01-31T12:00:00Z'), 1769860800000)
  assert.equal(timestampMs('2026-01-31T12:00:00.250+01:00'), 1769857200250)
  assert.equal(timestampMs('2026-01-31'), Date.UTC(2026, 0, 31))
  assert.equal(timestampMs('1769860800000'), 1769860800000)
})

test('timestampMs() refuses what is no time, whatever the machine would make of it', () => {
  for (const text of [
    '',
    'yesterday',
    'region 5',
    '0.5:1',
    '1e3',
    '-5',
    '2026-13-01',
    '2026-01-31T25:00',
    '9'.repeat(16),
  ]) {
    assert.equal(timestampMs(text), undefined, text)
  }
})
