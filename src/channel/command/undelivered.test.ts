import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { isUndelivered, type Sighting } from './undelivered.ts'

const LEASE_MS = 3_000
const command = { sentAtMs: 100_000, sentEpoch: 5 }
const left: Sighting = { epoch: 5, liveness: 'left', seenAtMs: 99_999 }
const lost: Sighting = { epoch: 5, liveness: 'lost', seenAtMs: 97_000 }

describe('isUndelivered()', () => {
  it('is certain of an agent that had left, and of one silent for longer than its lease', () => {
    assert.equal(isUndelivered(command, left, left, LEASE_MS), true)
    assert.equal(isUndelivered(command, lost, lost, LEASE_MS), true)
    assert.equal(isUndelivered(command, { ...lost, liveness: 'suspect' }, lost, LEASE_MS), true)
  })

  it('is not certain while the lease could still have held when the command was sent', () => {
    const silent = { ...lost, seenAtMs: 97_001 }
    assert.equal(isUndelivered(command, silent, silent, LEASE_MS), false)
  })

  it('is not certain of an agent that was heard, is alive, or has another epoch', () => {
    const alive: Sighting = { epoch: 5, liveness: 'alive', seenAtMs: 90_000 }
    assert.equal(isUndelivered(command, alive, lost, LEASE_MS), false)
    assert.equal(isUndelivered(command, { ...lost, liveness: 'alive' }, lost, LEASE_MS), false)
    assert.equal(isUndelivered(command, lost, { ...alive, seenAtMs: 97_000 }, LEASE_MS), false)
    assert.equal(isUndelivered(command, lost, { ...lost, seenAtMs: 101_000 }, LEASE_MS), false)
    assert.equal(isUndelivered(command, left, { ...left, epoch: 6 }, LEASE_MS), false)
    assert.equal(isUndelivered({ ...command, sentEpoch: 4 }, left, left, LEASE_MS), false)
    assert.equal(isUndelivered(command, undefined, left, LEASE_MS), false)
    assert.equal(isUndelivered(command, left, undefined, LEASE_MS), false)
  })
})
