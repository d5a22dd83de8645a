import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkMoved, type FoundMessage } from './check-moved.ts'

const SOUND = { moved: 3, lost: 0, doubled: 0, reordered: 0, changed: 0 }
const ACKED = ['a 0', 'a 2', 'b 1']
const found = (...lines: string[]): FoundMessage[] =>
  lines.map((line) => ({ line, subject: `t.${line[0]}`, key: line[0]!, about: line }))

test('what came once and in the order of its key has no fault', () => {
  assert.deepEqual(checkMoved(ACKED, found('a 0', 'b 1', 'a 2'), 't'), SOUND)
})

test('what was never acknowledged may have come', () => {
  assert.deepEqual(checkMoved(['a 0'], found('a 0', 'b 1', 'a 2'), 't'), SOUND)
})

test('what is missing, came twice, came late or came changed is found', () => {
  assert.deepEqual(checkMoved(ACKED, found('a 0', 'a 2'), 't'), { ...SOUND, moved: 2, lost: 1 })
  assert.deepEqual(checkMoved(ACKED, found('a 0', 'a 2', 'b 1', 'a 0'), 't'), { ...SOUND, doubled: 1 })
  assert.deepEqual(checkMoved(ACKED, found('a 2', 'b 1', 'a 0'), 't'), { ...SOUND, reordered: 1 })
  const [first, ...others] = found('a 0', 'a 2', 'b 1')
  for (const fault of [{ subject: 't.b' }, { key: undefined }, { about: undefined }]) {
    assert.deepEqual(checkMoved(ACKED, [{ ...first!, ...fault }, ...others], 't'), { ...SOUND, changed: 1 })
  }
})
