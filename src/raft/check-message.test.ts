import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seededRandom } from '../../testing/index.ts'
import { bootstrapState } from './bootstrap-state.ts'
import type { Entry } from './entry.ts'
import type { Message } from './message.ts'
import { RaftNode } from './raft-node.ts'

const entry = (index: number, term: number): Entry => ({ index, term, kind: 'command', data: new Uint8Array(1) })
const way = { from: 2, to: 1, term: 3 }
const append = { type: 'append', ...way, prevIndex: 1, prevTerm: 1, commit: 1, entries: [entry(2, 2), entry(3, 3)] }

test('What no node would send is refused as bad-input, whatever its term, and changes nothing', () => {
  const node = new RaftNode({ id: 1, random: seededRandom(1), state: bootstrapState([1, 2, 3]) })
  const before = node.status()
  const foolish: readonly unknown[] = [
    {},
    { ...append, type: 'shout' },
    { ...append, type: 'toString' },
    { ...append, from: 1 },
    { ...append, from: 0 },
    { ...append, to: 2 },
    { ...append, term: 2 ** 60 },
    { ...append, term: -1 },
    { ...append, prevIndex: Number.NaN },
    { ...append, prevTerm: undefined },
    { ...append, commit: Number.POSITIVE_INFINITY },
    { ...append, entries: undefined },
    { ...append, entries: [entry(7, 2)] },
    { ...append, entries: [entry(2, 2), entry(4, 3)] },
    { ...append, entries: [entry(2, 3), entry(3, 2)] },
    { ...append, entries: [entry(2, 4)] },
    { ...append, entries: [entry(2, 0)] },
    { type: 'heartbeat', ...way, commit: 0.5, readRound: 0 },
    { type: 'heartbeat', ...way, commit: 0 },
    { type: 'vote-request', ...way, commit: 0, commitTerm: 0, lastIndex: '9', lastTerm: 1 },
    { type: 'snapshot', ...way },
    { type: 'snapshot', ...way, snapshot: { index: 9, term: 2 } },
  ]
  for (const message of foolish) {
    assert.throws(() => node.step(message as Message), { code: 'bad-input' }, JSON.stringify(message))
  }
  assert.deepEqual(node.status(), before)
  node.step(append as Message)
  assert.equal(node.status().lastIndex, 3)
})
