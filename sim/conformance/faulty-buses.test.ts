import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { faultyBuses } from '../../testing/index.ts'
import { catchFault } from './catch-fault.ts'

// What a fault leaves running when its case has failed may reject later; that concerns nobody.
process.on('unhandledRejection', () => {})

describe('the conformance suite fails', { concurrency: 6 }, () => {
  for (const fault of faultyBuses) {
    test(`a bus that ${fault.name}`, { timeout: 120_000 }, async () => {
      assert.notEqual(await catchFault(fault), undefined, 'the suite has passed it')
    })
  }
})
