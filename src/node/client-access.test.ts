import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { clientAccess } from './client-access.ts'

describe('clientAccess()', () => {
  it('refuses to write where only the node decides, and to answer in its name', () => {
    for (const subject of ['skein.roster.agents.a', 'skein.swarm.joined.a', 'skein.pulses.n', 'skein.inbox.a']) {
      assert.throws(() => clientAccess(undefined, 'publish', subject), { code: 'unauthorised' }, subject)
    }
    assert.throws(() => clientAccess(undefined, 'answer', 'skein.swarm.pulse'), { code: 'unauthorised' })
  })

  it('refuses to delete topics that are Skein’s own, or to add one, but for dead letters', () => {
    for (const topic of ['skein.roster', 'skein.inbox', 'skein.outcomes', 'skein.new']) {
      assert.throws(() => clientAccess(undefined, 'administer', topic), { code: 'unauthorised' }, topic)
    }
    assert.throws(() => clientAccess(undefined, 'open', 'skein.new'), { code: 'unauthorised' })
    clientAccess(undefined, 'open', 'skein.outcomes')
    clientAccess(undefined, 'administer', 'skein.dead.swarm.telemetry')
    clientAccess(undefined, 'administer', 'swarm.telemetry')
  })

  it('lets agents report outcomes, read the roster, ask the node, and everything that is not its own', () => {
    clientAccess(undefined, 'publish', 'skein.outcomes.sender')
    clientAccess(undefined, 'publish', 'skein.rosters.not-ours')
    clientAccess(undefined, 'publish', 'swarm.telemetry.north.a')
    clientAccess(undefined, 'consume', 'skein.roster')
    clientAccess(undefined, 'ask', 'skein.swarm.join')
    clientAccess(undefined, 'answer', 'swarm.queries.a.battery')
  })
})
