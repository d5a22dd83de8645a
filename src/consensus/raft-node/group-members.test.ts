import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type ConfigChange, type Entry, encodeConfigChange } from '../../raft/index.ts'
import { encodeAddresses, GroupMembers } from './group-members.ts'

function change(index: number, change: ConfigChange): Entry {
  return { index, term: 1, kind: 'config', data: encodeConfigChange(change) }
}

test('An id that was ever given stays spent, also when its member is removed and only a snapshot tells of it', () => {
  const members = new GroupMembers()
  const first = [
    { action: 'add-voter', id: 1 },
    { action: 'add-learner', id: 4 },
  ] as const
  const addresses: Array<readonly [number, string]> = [
    [1, 'one:1'],
    [4, 'four:1'],
  ]
  members.apply(change(1, { mode: 'auto', changes: first, context: encodeAddresses(addresses) }))
  members.apply(change(2, { mode: 'auto', changes: [{ action: 'remove', id: 4 }] }))
  const stored = JSON.parse(JSON.stringify(members.state()))
  for (const known of [members, new GroupMembers(stored)]) {
    assert.deepEqual(
      [1, 4, 5].map((id) => known.isSpent(id)),
      [true, true, false],
    )
    assert.deepEqual(
      [1, 4].map((id) => known.addressOf(id)),
      ['one:1', ''],
    )
  }
})

test('A promotion keeps the address, and a context that other programs wrote means nothing', () => {
  const members = new GroupMembers({ addresses: [[4, 'four:1']], spent: [4] })
  members.apply(change(3, { mode: 'auto', changes: [{ action: 'add-voter', id: 4 }] }))
  members.apply(change(4, { mode: 'auto', changes: [{ action: 'add-learner', id: 5 }], context: Buffer.from('{"no') }))
  assert.deepEqual(members.state(), { addresses: [[4, 'four:1']], spent: [4, 5] })
})
