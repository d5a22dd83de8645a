import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'

test('docs/reference/errors.md explains every error code, and no other', async () => {
  const source = await readFile(new URL('./errors.ts', import.meta.url), 'utf8')
  const union = /type ErrorCode =([^/]*)\n\n/.exec(source)![1]!
  const codes = [...union.matchAll(/\| '([a-z-]+)'/g)].map((match) => match[1])
  const reference = await readFile(new URL('../../docs/reference/errors.md', import.meta.url), 'utf8')
  const documented = [...reference.matchAll(/^\| `([a-z-]+)` \|/gm)].map((match) => match[1])
  assert.ok(codes.length > 30)
  assert.deepEqual(documented, [...codes].sort())
})
