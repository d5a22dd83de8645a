import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkOutputs } from './check-outputs.ts'

test('every input with one output is counted once, in whatever order they come', () => {
  assert.deepEqual(checkOutputs(['done 2', 'done 0', 'done 1'], 3), {
    outputsOnce: 3,
    missing: 0,
    doubled: 0,
    strange: 0,
  })
})

test('what is missing, doubled, or nobody asked for is found', () => {
  const lines = ['done 0', 'done 0', 'done 0', 'done 2', 'done 7', 'done', '', 'undone 1']
  assert.deepEqual(checkOutputs(lines, 4), { outputsOnce: 1, missing: 2, doubled: 1, strange: 4 })
})
