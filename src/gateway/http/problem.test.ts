import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { type ErrorCode, SkeinError } from '../../core/index.ts'
import { problemOf } from './problem.ts'

test('A problem carries code, status, text and facts', () => {
  const error = new SkeinError('quota-exceeded', 'Cannot do it: too much', { retryable: true, details: { limit: 5 } })
  assert.deepEqual(problemOf(error), {
    type: 'urn:skein:error:quota-exceeded',
    title: 'quota exceeded',
    status: 429,
    detail: 'Cannot do it: too much',
    code: 'quota-exceeded',
    retryable: true,
    facts: { limit: 5 },
  })
})

test('What we did not foresee does not tell the caller about our insides', () => {
  const problem = problemOf(new TypeError('x is undefined at secret/place.ts'))
  assert.equal(problem.status, 500)
  assert.equal(problem.code, 'internal')
  assert.doesNotMatch(problem.detail, /secret/)
})

test('docs/reference/errors.md has the HTTP status of every code', async () => {
  const reference = await readFile(new URL('../../../docs/reference/errors.md', import.meta.url), 'utf8')
  const rows = [...reference.matchAll(/^\| `([a-z-]+)` \|.*\| (\d{3}) \| (\d+) \|$/gm)]
  assert.ok(rows.length > 30)
  for (const [, code, status] of rows) {
    assert.equal(problemOf(new SkeinError(code as ErrorCode, '')).status, Number(status), code)
  }
})
