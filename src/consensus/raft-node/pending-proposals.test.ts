import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Entry } from '../../raft/index.ts'
import { PendingProposals } from './pending-proposals.ts'

const entries = (first: number, last: number, term: number): Entry[] =>
  Array.from({ length: last - first + 1 }, (_, at) => {
    return { index: first + at, term, kind: 'command', data: new Uint8Array(8) }
  })

test('A call resolves when the last of its entries is committed, and not before', async () => {
  const pending = new PendingProposals()
  const settled: number[] = []
  for (const first of [5, 8, 9]) {
    const last = first === 5 ? 7 : first
    void pending.wait({ first, last, term: 2 }).then(() => settled.push(first))
  }
  pending.committed(entries(1, 6, 2))
  await new Promise(setImmediate)
  assert.deepEqual(settled, [])
  pending.committed(entries(7, 8, 2))
  await new Promise(setImmediate)
  assert.deepEqual(settled, [5, 8])
  pending.committed(entries(9, 12, 2))
  await new Promise(setImmediate)
  assert.deepEqual(settled, [5, 8, 9])
  assert.ok(pending.isEmpty)
})

test('Where an entry of another term stands, and when they are abandoned, the outcome is unknown', async () => {
  const pending = new PendingProposals()
  const replaced = pending.wait({ first: 5, last: 6, term: 2 })
  const left = pending.wait({ first: 7, last: 7, term: 2 })
  pending.committed(entries(5, 6, 3))
  await assert.rejects(replaced, { code: 'outcome-unknown', details: { first: 5, last: 6, term: 2 } })
  pending.abandon('this member no longer leads')
  await assert.rejects(left, { code: 'outcome-unknown' })
  assert.ok(pending.isEmpty)
})

test('Of any number that wait each learns of its own, however many are settled at once', async () => {
  const pending = new PendingProposals()
  const resolved = new Map<number, number>()
  const waiting = Array.from({ length: 12_000 }, (_, at) => {
    const index = at + 1
    return pending.wait({ first: index, last: index, term: 1 }).then(({ last }) => resolved.set(index, last))
  })
  let next = 1
  for (const count of [1, 4_095, 1, 3_000, 1_500, 3_402, 1]) {
    pending.committed(entries(next, next + count - 1, 1))
    next += count
  }
  assert.ok(pending.isEmpty)
  await Promise.all(waiting)
  for (const [index, last] of resolved) assert.equal(last, index)
})
