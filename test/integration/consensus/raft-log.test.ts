import assert from 'node:assert/strict'
import { test } from 'node:test'
import { until } from '../../until.ts'
import { contents, RaftGroup } from './raft-group.ts'

const bytes = (text: string) => Buffer.from(text)

test('Three members elect a leader, and what it acknowledges is read on each, in order', async (t) => {
  const group = await RaftGroup.make(t, 3)
  await group.startAll()
  const leader = await group.leader()
  const receipt = await leader.append([bytes('a'), bytes('b')])
  assert.equal(receipt.durability, 'quorum-durable')
  assert.equal(receipt.last, receipt.first + 1)
  const receipts = await Promise.all(Array.from({ length: 200 }, (_, at) => leader.append([bytes(`c${at}`)])))
  assert.ok(receipts.every(({ first }, at) => at === 0 || first === receipts[at - 1]!.first + 1))
  const expected = ['a', 'b', ...receipts.map((_, at) => `c${at}`)]
  for (const log of group.logs.values()) {
    await until(() => log.status().committedIndex >= receipts.at(-1)!.last)
    assert.deepEqual(await contents(log), expected)
  }
})
