import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { type ErrorCode, SkeinError } from '../core/index.ts'
import { EXIT, exitCodeOf } from './exit-codes.ts'

const reference = (name: string) => readFile(new URL(`../../docs/reference/${name}`, import.meta.url), 'utf8')

test('docs/reference/errors.md has the exit code of every error', async () => {
  const rows = [...(await reference('errors.md')).matchAll(/^\| `([a-z-]+)` \|.*\| (\d{3}) \| (\d+) \|$/gm)]
  assert.ok(rows.length > 30)
  for (const [, code, , exit] of rows)
    assert.equal(exitCodeOf(new SkeinError(code as ErrorCode, '')), Number(exit), code)
})

test('docs/reference/cli.md lists every exit code, and no other', async () => {
  const listed = [...(await reference('cli.md')).matchAll(/^\| (\d+) \|/gm)].map((match) => Number(match[1]))
  assert.deepEqual(listed, Object.values(EXIT))
})

test('exitCodeOf() looks through to the cause', () => {
  const cause = new SkeinError('disk-full', 'full')
  assert.equal(exitCodeOf(new SkeinError('write-failed', 'not stored', { cause })), EXIT.diskFull)
  const name = new SkeinError('bad-subject', 'no rth')
  assert.equal(exitCodeOf(new SkeinError('bad-input', 'a row', { cause: name })), EXIT.failed)
  assert.equal(exitCodeOf(new TypeError('x')), EXIT.failed)
  assert.equal(exitCodeOf('x'), EXIT.failed)
})
