import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { compilePattern, matchesFilter, partitionOfKey } from '../../core/index.ts'
import type { AgentRecord } from '../ports.ts'
import { commandFilters, decodeCommand, encodeCommand } from './command-record.ts'
import { planRecords, WIDE_MIN } from './fan-out.ts'

const codec = { contentType: 'application/json', schemaId: 'abc' }
const pattern = compilePattern('swarm.commands.{agentId}.move-to')

function agent(id: string): AgentRecord {
  return {
    ...{ id, type: 'quadrotor', region: 'north', labels: {}, capabilities: [], epoch: 3, liveness: 'alive' },
    ...{ joinedAtMs: 0, seenAtMs: 0 },
  } as AgentRecord
}

describe('a command record', () => {
  it('comes back as it was encoded', () => {
    const addressee = fc
      .record({ agentId: fc.string({ minLength: 1 }), epoch: fc.nat(), held: fc.boolean() })
      .map((each) => ({ ...each }))
    const record = fc.record({
      intentId: fc.string({ minLength: 1 }),
      sender: fc.string({ minLength: 1 }),
      type: fc.string({ minLength: 1 }),
      deadlineMs: fc.nat({ max: 2 ** 48 }),
      addressees: fc.array(addressee, { minLength: 1, maxLength: 20 }),
    })
    const plain = record.map((each) => ({ ...each }))
    fc.assert(
      fc.property(plain, (given) => {
        const body = { subject: 'swarm.commands.a.move-to', key: 'a', value: '{}', codec, ttlMs: 5 }
        const message = encodeCommand(given, body)
        assert.deepEqual(decodeCommand({ subject: message.subject, headers: message.headers! }), given)
      }),
    )
  })

  it('is refused as malformed when a header is missing or is no list of targets', () => {
    const body = { subject: 's.a', key: 'a', value: '{}', codec, ttlMs: 5 }
    const { headers } = encodeCommand({ intentId: 'i', sender: 's', type: 't', deadlineMs: 1, addressees: [] }, body)
    for (const name of ['source', 'type', 'skeinintent', 'skeindeadline', 'skeintargets']) {
      const { [name]: _, ...rest } = headers!
      assert.throws(() => decodeCommand({ subject: 's.a', headers: rest }), { code: 'malformed-frame' })
    }
    for (const targets of ['{}', 'x', '[1]', '[["a"]]']) {
      assert.throws(() => decodeCommand({ subject: 's.a', headers: { ...headers, skeintargets: targets } }), {
        code: 'malformed-frame',
      })
    }
  })
})

describe('commandFilters()', () => {
  it('matches all commands to the agent and to all, known or not, and no other agent', () => {
    const matches = (subject: string) => commandFilters(pattern, 'drone-7').some((each) => matchesFilter(each, subject))
    assert.equal(matches('swarm.commands.drone-7.move-to'), true)
    assert.equal(matches('swarm.commands.drone-7.land'), true)
    assert.equal(matches('swarm.commands.broadcast.move-to'), true)
    assert.equal(matches('swarm.commands.drone-8.move-to'), false)
    assert.deepEqual(commandFilters(compilePattern('c.{region}.{agentId}'), 'a'), ['c.*.a', 'c.*.broadcast'])
  })
})

describe('planRecords()', () => {
  it('writes one record per agent for a few', () => {
    const plans = planRecords(pattern, [agent('a'), agent('b')], 4)
    assert.deepEqual(plans, [
      { subject: 'swarm.commands.a.move-to', key: 'a', agentIds: ['a'] },
      { subject: 'swarm.commands.b.move-to', key: 'b', agentIds: ['b'] },
    ])
  })

  it('writes one record per partition for many, in the partition of each of its agents, and forgets nobody', () => {
    fc.assert(
      fc.property(fc.integer({ min: WIDE_MIN, max: 500 }), fc.integer({ min: 1, max: 12 }), (count, partitions) => {
        const agents = Array.from({ length: count }, (_, index) => agent(`drone-${index}`))
        const plans = planRecords(pattern, agents, partitions)
        assert.ok(plans.length <= partitions)
        for (const plan of plans) {
          assert.equal(plan.subject, 'swarm.commands.broadcast.move-to')
          for (const id of plan.agentIds) {
            assert.equal(partitionOfKey(plan.key, partitions), partitionOfKey(id, partitions))
          }
        }
        assert.deepEqual(plans.flatMap((plan) => plan.agentIds).sort(), agents.map((each) => each.id).sort())
      }),
      { numRuns: 30 },
    )
  })

  it('fills the region of a pattern from the roster, and refuses a field that nobody can fill', () => {
    const regional = compilePattern('c.{region}.{agentId}')
    assert.equal(planRecords(regional, [agent('a')], 1)[0]?.subject, 'c.north.a')
    assert.throws(() => planRecords(compilePattern('c.{agentId}.{speed}'), [agent('a')], 1), { code: 'bad-subject' })
  })
})
