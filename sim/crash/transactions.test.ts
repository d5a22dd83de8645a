import assert from 'node:assert/strict'
import { it } from 'node:test'
import { requireService } from '../../test/services/require-service.ts'
import { run, shortfalls } from './transactions.ts'

const kafka = await requireService('kafka')

it('every input has one committed output while the processor is killed (small run)', { skip: kafka.skip }, async () => {
  const report = await run({ rounds: undefined, seed: 7, progress: () => {} }, { inputs: 600, kills: 1 })
  assert.deepEqual(shortfalls(report), [])
})
