import assert from 'node:assert/strict'
import { test } from 'node:test'
import { run, shortfalls } from './kill.ts'

test('A node that is killed again and again under load loses nothing it acknowledged', async () => {
  const report = await run({ rounds: 4, seed: 7, progress: () => {} })
  assert.deepEqual(shortfalls(report), [])
})
