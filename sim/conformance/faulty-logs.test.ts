import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { faultyLogs } from '../../testing/index.ts'
import { catchLogFault } from './catch-log-fault.ts'
import { ReplicatedEmbeddedWorld } from './replicated-embedded-world.ts'

// What a fault leaves running when its case has failed may reject later; that concerns nobody.
process.on('unhandledRejection', () => {})

describe('the suite of replicated logs fails', { concurrency: 6 }, () => {
  for (const fault of faultyLogs) {
    test(`a log that ${fault.name}`, { timeout: 120_000 }, async () => {
      const caughtBy = await catchLogFault(fault, { create: () => ReplicatedEmbeddedWorld.create() })
      assert.notEqual(caughtBy, undefined, 'the suite has passed it')
    })
  }
})
