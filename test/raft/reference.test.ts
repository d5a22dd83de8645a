import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { RaftNode } from '../../src/raft/index.ts'

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')
const reference = read('docs/reference/raft.md')

test('the loop of docs/reference/raft.md is the one of the example that runs', () => {
  const [loop = ''] = [...reference.matchAll(/```ts\n(.*?)```/gs)].map((match) => match[1]!.trim())
  assert.match(loop, /^\/\*\* Drives one node/)
  assert.ok(read('examples/raft-group/main.ts').includes(loop))
})

test('docs/reference/raft.md names every call of a node and what can be looked at, and no other', () => {
  const { constructor: _, ...members } = Object.getOwnPropertyDescriptors(RaftNode.prototype)
  const names = Object.entries(members)
  const table = reference.slice(reference.indexOf('## Calls'), reference.indexOf('| error |'))
  const told = (pattern: RegExp) => [...new Set([...table.matchAll(pattern)].map((match) => match[1]!))].sort()
  const callable = names.filter(([, { get }]) => get === undefined).map(([name]) => name)
  assert.deepEqual(told(/`(\w+)\(/g), callable.sort())
  const readable = names.filter(([, { get }]) => get !== undefined).map(([name]) => name)
  const rows = told(/^\| `(\w+)`/gm).concat(told(/^\| `\w+`, `(\w+)` \|/gm))
  assert.deepEqual(rows.sort(), readable.sort())
})

test('docs/reference/raft.md has every reason to refuse a change, and every limit', () => {
  const reasons = /type ConfigChangeRefusal =\s*([^/]*?)\n\n/.exec(read('src/raft/errors.ts'))![1]!
  for (const [, reason] of reasons.matchAll(/'([\w-]+)'/g)) assert.ok(reference.includes(`\`${reason}\``), reason)
  const limits = /interface RaftLimits \{(.*?)\n\}/s.exec(read('src/raft/raft-options.ts'))![1]!
  for (const [, limit] of limits.matchAll(/readonly (\w+)/g)) assert.ok(reference.includes(`\`${limit}\``), limit)
})
