import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { RosterFold } from './roster-fold.ts'
import type { AgentState, RosterEntry } from './roster-record.ts'

function agent(epoch: number, changes: Partial<AgentState> = {}): AgentState {
  const known = { id: 'drone-1', type: 'rover', region: 'north', labels: {}, capabilities: [], joinId: `join ${epoch}` }
  return { ...known, epoch, liveness: 'alive', joinedAtMs: epoch, seenAtMs: epoch, ...changes }
}

function entry(ownerEpoch: number, state: AgentState): RosterEntry {
  return { kind: 'agent', ownerEpoch, state, events: [] }
}

describe('RosterFold', () => {
  it('does not let a record of an epoch that is over take the place of a newer one', () => {
    const fold = new RosterFold()
    assert.equal(fold.apply(entry(1, agent(7))), true)
    assert.equal(fold.apply(entry(1, agent(5, { liveness: 'lost' }))), false)
    assert.deepEqual([fold.get('drone-1')?.epoch, fold.get('drone-1')?.liveness], [7, 'alive'])
    assert.equal(fold.apply(entry(1, agent(7, { liveness: 'suspect' }))), true)
    assert.equal(fold.get('drone-1')?.liveness, 'suspect')
  })

  it('does not let an owner that was replaced say anything', () => {
    const fold = new RosterFold()
    fold.apply(entry(1, agent(7)))
    fold.apply({ kind: 'owner', sequence: 9 })
    assert.equal(fold.apply(entry(1, agent(8))), false)
    assert.equal(fold.apply(entry(9, agent(7, { region: 'south' }))), true)
    assert.equal(fold.get('drone-1')?.region, 'south')
  })
})
