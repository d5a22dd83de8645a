import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compare, KillLedger } from './ledger.ts'

function ledgerOf(...numbers: number[]): KillLedger {
  const ledger = new KillLedger()
  for (const number of numbers) ledger.acknowledge('k', number)
  return ledger
}

function read(...numbers: number[]) {
  return numbers.map((number) => ({ key: 'k', number, intact: true }))
}

const NOTHING = { lost: 0, gaps: 0, reordered: 0, duplicates: 0 }

test('What was acknowledged and lies in order is clean, unacknowledged messages behind it included', () => {
  assert.deepEqual(compare(ledgerOf(1, 2, 3).acknowledged(), read(1, 2, 3, 4)), NOTHING)
})

test('An acknowledgment counts once', () => {
  assert.equal(ledgerOf(1, 1, 2).count, 2)
})

const BAD = {
  'the last acknowledged message is missing': [read(1, 2), { ...NOTHING, lost: 1 }],
  'one in the middle is missing': [read(1, 3), { ...NOTHING, lost: 1, gaps: 1 }],
  'everything is missing': [[], { ...NOTHING, lost: 3 }],
  'one was stored behind a later one': [read(1, 3, 2), { ...NOTHING, reordered: 1 }],
  'one was stored twice': [read(1, 2, 2, 3), { ...NOTHING, duplicates: 1 }],
  'an earlier one was stored again': [read(1, 2, 3, 1), { ...NOTHING, duplicates: 1 }],
  'one has other bytes': [[...read(1, 2), { key: 'k', number: 3, intact: false }], { ...NOTHING, lost: 1 }],
  'one lies under another key': [
    [...read(1, 2), { key: 'other', number: 3, intact: true }],
    { ...NOTHING, lost: 1, gaps: 2 },
  ],
} as const

for (const [name, [history, findings]] of Object.entries(BAD)) {
  test(`The comparison finds that ${name}`, () => {
    assert.deepEqual(compare(ledgerOf(1, 2, 3).acknowledged(), history), findings)
  })
}

test('A gap below unacknowledged messages is found as well', () => {
  assert.deepEqual(compare(ledgerOf(1).acknowledged(), read(1, 2, 5)), { ...NOTHING, gaps: 2 })
})
