import assert from 'node:assert/strict'
import { test } from 'node:test'
import { audit, faultsOf } from './audit.ts'
import type { ConsumedLine, EffectLine, History, OutcomeRecord } from './history.ts'

const KILLED = 'scout-1'
const ASKED = { killedAgentId: KILLED, safe: 'durable' } as const

function report(count: number, sequence = count): ConsumedLine {
  return {
    agentId: KILLED,
    epoch: 1,
    channel: 'position',
    count,
    topic: 't',
    partition: 0,
    sequence,
  }
}

function outcome(intentId: string, state: string, reason?: string): OutcomeRecord {
  return { intentId, agentId: KILLED, state, reason }
}

function effect(intentId: string, startedAtMs = 50, epoch = 9): EffectLine {
  return { intentId, agentId: KILLED, epoch, startedAtMs }
}

/** Eleven agents of three types, beside the one that is killed. */
const OTHERS = Array.from({ length: 11 }, (_, index) => ({
  agentId: `other-${index}`,
  agentType: ['quadrotor', 'rover', 'camera'][index % 3]!,
  epoch: index,
  atMs: 5,
}))

const GOOD: History = {
  stored: [report(1), report(2), report(3)],
  acknowledged: [1, 2, 3].map((count) => ({
    ...report(count),
    durability: count === 2 ? 'durable' : 'quorum-durable',
  })),
  consumers: [[report(1), report(2), report(1), report(3)]],
  commands: ['a', 'b', 'c', 'd'].map((intentId) => ({ intentId, agentId: KILLED, startByMs: 100 })),
  outcomes: [
    outcome('a', 'accepted'),
    outcome('a', 'done'),
    outcome('b', 'expired'),
    outcome('c', 'failed', 'replaced'),
    outcome('d', 'unknown'),
  ],
  told: [outcome('a', 'done'), outcome('b', 'unknown')],
  effects: [effect('a'), effect('d')],
  joins: [
    ...OTHERS,
    { agentId: KILLED, agentType: 'scout', epoch: 1, atMs: 10 },
    { agentId: KILLED, agentType: 'scout', epoch: 9, atMs: 40 },
  ],
}

test('A clean run passes, with its figures counted from ledgers and log', () => {
  const found = audit(GOOD, ASKED)
  assert.deepEqual(faultsOf(found), [])
  assert.deepEqual(found.telemetry, {
    published: 3,
    consumed: 3,
    unseen: 0,
    strange: 0,
    lost: 0,
    reordered: 0,
    duplicates: 1,
    durability: 'durable',
    belowAsked: 0,
  })
  assert.deepEqual(found.commands, {
    sent: 4,
    done: 1,
    rejected: 0,
    failed: 1,
    expired: 1,
    replaced: 1,
    unknown: 1,
    effects: 2,
    duplicateEffects: 0,
    staleEffects: 0,
    withoutEffect: 0,
    deniedEffects: 0,
    contradicted: 0,
  })
})

test('A command whose time was over before the agent came back may stay without an outcome', () => {
  const commands = [...GOOD.commands, { intentId: 'e', agentId: KILLED, startByMs: 30 }]
  assert.equal(audit({ ...GOOD, commands }, ASKED).recovered, true)
})

test('A run that was cut short need not have shown everything, but must have kept its promises', () => {
  const outcomes = [outcome('a', 'done')]
  const short = { ...GOOD, outcomes, told: [], joins: [] }
  assert.deepEqual(faultsOf(audit(short, ASKED), { isCutShort: true }), [])
  const lossy = audit({ ...short, consumers: [[report(1)]] }, ASKED)
  assert.match(faultsOf(lossy, { isCutShort: true }).join(), /lost/)
})

const BAD: Readonly<Record<string, readonly [Partial<History>, RegExp]>> = {
  'an acknowledged report that no consumer handled': [
    { consumers: [[report(1), report(3)]] },
    /1 acknowledged reports were lost/,
  ],
  'a stored report, never acknowledged, that no consumer handled': [
    { consumers: [[report(1), report(2)]], acknowledged: [] },
    /published and consumed/,
  ],
  'a consumed record that is not in the log': [{ consumers: [[report(1), report(2), report(3), report(4)]] }, /differ/],
  'an acknowledged report that the log never held': [
    { acknowledged: [{ ...report(7), durability: 'durable' }] },
    /1 acknowledged reports were lost/,
  ],
  'a receipt that says less than was asked for': [
    { acknowledged: [1, 2, 3].map((count) => ({ ...report(count), durability: count === 2 ? 'written' : 'durable' })) },
    /1 reports were acknowledged below what was asked/,
  ],
  'as many records consumed as stored, but not the same': [
    { stored: [report(1), report(2), report(3), report(5)], consumers: [[report(1), report(2), report(3), report(4)]] },
    /1 consumed records are not what the log has there/,
  ],
  'as many effects as there may be, one of them of an expired command': [
    { effects: [effect('a'), effect('b')] },
    /1 effects stand against an outcome that denies them/,
  ],
  'as many records stored as consumed, one of them by nobody': [
    { stored: [report(1), report(2), report(3), report(5)], consumers: [[report(1), report(2), report(3), report(4)]] },
    /1 records of the log were consumed by nobody/,
  ],
  'a place of the log consumed as another report': [
    {
      consumers: [[report(1), report(2), report(4, 3)]],
      acknowledged: [report(1)].map((one) => ({ ...one, durability: 'durable' as const })),
    },
    /1 consumed records are not what the log has there/,
  ],
  'as many effects as there may be, but of other commands': [
    { effects: [effect('b'), effect('d')] },
    /1 commands are called done and had no effect/,
  ],
  'no receipt at all': [{ acknowledged: [] }, /no report was acknowledged/],
  'first deliveries out of order': [{ consumers: [[report(1), report(3), report(2)]] }, /1 reports were reordered/],
  'the same out of order in one of two consumers': [
    {
      consumers: [
        [report(1), report(2), report(3)],
        [report(2), report(1)],
      ],
    },
    /1 reports were reordered/,
  ],
  'an order broken before the log': [
    {
      stored: [report(1), report(3, 2), report(2, 3)],
      consumers: [[report(1), report(3, 2), report(2, 3)]],
    },
    /1 reports were reordered/,
  ],
  'an effect that happened twice': [{ effects: [effect('a'), effect('a')] }, /1 effects happened twice/],
  'an effect twice, once by each incarnation': [
    { effects: [effect('a', 50, 1), effect('a', 60, 9)] },
    /happened twice/,
  ],
  'an effect that began too late': [{ effects: [effect('a', 101)] }, /1 effects began after/],
  'an effect of an intent nobody sent': [{ effects: [effect('a'), effect('z')] }, /1 effects began after/],
  'done without an effect': [{ effects: [] }, /done and had no effect/],
  'an effect of a command called expired': [{ effects: [effect('a'), effect('b'), effect('d')] }, /denies them/],
  'an effect of a replaced command': [{ effects: [effect('a'), effect('c'), effect('d')] }, /denies them/],
  'no command that expired': [
    { outcomes: GOOD.outcomes.filter(({ state }) => state !== 'expired') },
    /no command expired/,
  ],
  'no command that was replaced': [
    { outcomes: GOOD.outcomes.filter(({ state }) => state !== 'failed') },
    /no command was replaced/,
  ],
  'a swarm of too few agents': [{ joins: GOOD.joins.slice(1) }, /only 11 agents joined/],
  'a swarm of too few types': [{ joins: GOOD.joins.filter((join) => join.agentType !== 'rover') }, /only 3 types/],
  'a killed agent that never came back': [
    { joins: [...OTHERS, { agentId: KILLED, agentType: 'scout', epoch: 1, atMs: 10 }] },
    /did not come back.*did not join again with a newer epoch than 1$/,
  ],
  'a killed agent whose second epoch is no newer': [
    {
      joins: [
        ...OTHERS,
        { agentId: KILLED, agentType: 'scout', epoch: 9, atMs: 10 },
        { agentId: KILLED, agentType: 'scout', epoch: 9, atMs: 40 },
      ],
    },
    /did not come back/,
  ],
  'a killed agent that came back and did nothing': [
    { effects: [effect('a', 50, 1)] },
    /did not come back.*epoch 9, but did nothing under it$/,
  ],
  'a command to the killed agent without an outcome': [
    { outcomes: GOOD.outcomes.filter(({ intentId }) => intentId !== 'd') },
    /resolve its commands: 1 of 4 commands that could still be done have no outcome$/,
  ],
  'an expired command later called done': [
    { outcomes: [outcome('a', 'expired'), outcome('a', 'done'), ...GOOD.outcomes.slice(2)] },
    /no command was done/,
  ],
  'a sender that was told otherwise than the log says': [{ told: [outcome('b', 'done')] }, /1 outcomes contradict/],
  'a sender that was told what the log never said': [{ told: [outcome('d', 'done')] }, /1 outcomes contradict/],
  'an outcome of a command that the log never held': [
    { outcomes: [...GOOD.outcomes, outcome('z', 'expired')] },
    /1 outcomes contradict/,
  ],
  'a run in which nothing happened': [
    { stored: [], acknowledged: [], consumers: [], commands: [], outcomes: [], told: [], effects: [], joins: [] },
    /no telemetry/,
  ],
}

for (const [name, [change, finds]] of Object.entries(BAD)) {
  test(`The audit refuses ${name}`, () => {
    const faults = faultsOf(audit({ ...GOOD, ...change }, ASKED))
    assert.ok(
      faults.some((sentence) => finds.test(sentence)),
      `expected ${finds}, found ${JSON.stringify(faults)}`,
    )
  })
}
