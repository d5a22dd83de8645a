import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { run } from './check-histories.ts'

const WRITE = { client: 'a', op: 'write', key: 'x', value: 1, result: null, callNs: 0, returnNs: 5, status: 'ok' }
const READ = { client: 'b', op: 'read', key: 'x', value: null, result: 1, callNs: 6, returnNs: 9, status: 'ok' }
const CAS = { client: 'a', op: 'cas', key: 'x', value: [1, 2], result: true, callNs: 10, returnNs: 11, status: 'ok' }

test('Histories are judged by what they say; a line that says nothing clear is refused and not passed over', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'skein-histories-'))
  t.after(() => rmSync(directory, { recursive: true }))
  t.mock.method(console, 'log', () => {})
  t.mock.method(console, 'error', () => {})
  const judge = (...calls: readonly object[]) => {
    const file = join(directory, 'history.jsonl')
    writeFileSync(file, calls.map((call) => `${JSON.stringify(call)}\n`).join(''))
    return run([file])
  }
  assert.equal(await judge(WRITE, READ, CAS, { ...WRITE, status: 'unknown', returnNs: null }), 0)
  assert.equal(await judge(WRITE, { ...READ, result: null }), 1)
  const unclear = [
    { ...READ, status: 'OK' },
    { ...READ, op: 'append' },
    { ...READ, key: 3 },
    { ...READ, client: undefined },
    { ...READ, callNs: null },
    { ...READ, returnNs: 3 },
    { ...CAS, value: 2 },
    { ...CAS, result: null },
  ]
  for (const call of unclear) await assert.rejects(judge(WRITE, call), /line 2 is no call/)
})
