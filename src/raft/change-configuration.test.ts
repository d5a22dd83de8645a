import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { changeMembership, enterJoint, leaveJoint, type Membership, simpleChange } from './change-configuration.ts'
import type { ConfigChange, MemberChange } from './config-change.ts'
import { type Configuration, configuration, isJoint, membersOf } from './configuration.ts'
import { ConfigChangeError, type ConfigChangeRefusal } from './errors.ts'

const options = { newProgress: (id: number) => `new ${id}` }

function membership(members: Partial<Configuration>): Membership<string> {
  const made = configuration(members)
  return { configuration: made, progress: new Map(membersOf(made).map((id) => [id, `old ${id}`])) }
}

/** `v1 l2 r3`: add voter 1, add learner 2, remove 3. */
function changes(text: string): MemberChange[] {
  const actions = { v: 'add-voter', l: 'add-learner', r: 'remove' } as const
  return text
    .split(' ')
    .filter((word) => word !== '')
    .map((word) => ({ action: actions[word[0] as 'v'], id: Number(word.slice(1)) }))
}

function refusal(action: () => unknown): ConfigChangeRefusal | undefined {
  try {
    action()
    return undefined
  } catch (error) {
    assert.ok(error instanceof ConfigChangeError && error.code === 'config-change-refused')
    return error.reason
  }
}

test('simpleChange() adds, demotes, promotes and removes one voter', () => {
  const three = membership({ voters: [1, 2, 3] })
  assert.deepEqual(simpleChange(three, changes('v4'), options).configuration, configuration({ voters: [1, 2, 3, 4] }))
  assert.deepEqual(
    simpleChange(three, changes('l3'), options).configuration,
    configuration({ voters: [1, 2], learners: [3] }),
  )
  assert.deepEqual(simpleChange(three, changes('r3'), options).configuration, configuration({ voters: [1, 2] }))
  const learner = membership({ voters: [1], learners: [2] })
  assert.deepEqual(simpleChange(learner, changes('v2'), options).configuration, configuration({ voters: [1, 2] }))
})

test('simpleChange() takes any number of learners, and repeats that end where they began', () => {
  const one = membership({ voters: [1] })
  assert.deepEqual(
    simpleChange(one, changes('l2 l3 l4 r3'), options).configuration,
    configuration({ voters: [1], learners: [2, 4] }),
  )
  assert.deepEqual(simpleChange(one, changes('v2 v3 l2 r3'), options).configuration.learners, [2])
  assert.deepEqual(simpleChange(one, changes('r9'), options).configuration, one.configuration)
  assert.deepEqual(simpleChange(one, [], options).configuration, one.configuration)
})

test('simpleChange() refuses more than one voter, the last voter, a joint configuration and impossible ids', () => {
  const three = membership({ voters: [1, 2, 3] })
  assert.equal(
    refusal(() => simpleChange(three, changes('v4 v5'), options)),
    'several-voters',
  )
  assert.equal(
    refusal(() => simpleChange(three, changes('v4 r3'), options)),
    'several-voters',
  )
  assert.equal(
    refusal(() => simpleChange(membership({ voters: [1] }), changes('r1'), options)),
    'no-voter-left',
  )
  assert.equal(
    refusal(() => simpleChange(membership({ voters: [1] }), changes('l1'), options)),
    'no-voter-left',
  )
  for (const id of [0, -1, 1.5, Number.NaN, 2 ** 53]) {
    assert.equal(
      refusal(() => simpleChange(three, [{ action: 'add-voter', id }], options)),
      'bad-id',
    )
  }
  const joint = membership({ voters: [1, 2], votersOutgoing: [1] })
  assert.equal(
    refusal(() => simpleChange(joint, changes('v3'), options)),
    'already-joint',
  )
})

test('enterJoint() keeps the old voters as outgoing, and who is demoted waits to become a learner', () => {
  const entered = enterJoint(membership({ voters: [1, 2, 3], learners: [4] }), changes('v4 l2 r3'), {
    ...options,
    autoLeave: true,
  })
  assert.deepEqual(
    entered.configuration,
    configuration({ voters: [1, 4], votersOutgoing: [1, 2, 3], learnersNext: [2], autoLeave: true }),
  )
  assert.deepEqual([...entered.progress.keys()].sort(), [1, 2, 3, 4], 'the removed voter is still needed')
})

test('enterJoint() refuses a joint configuration and one without voters', () => {
  const joint = membership({ voters: [1, 2], votersOutgoing: [1] })
  const entering = { ...options, autoLeave: false }
  assert.equal(
    refusal(() => enterJoint(joint, changes('v3'), entering)),
    'already-joint',
  )
  assert.equal(
    refusal(() => enterJoint(membership({}), changes('v3'), entering)),
    'no-voters',
  )
})

test('leaveJoint() drops the outgoing voters and makes the demoted learners', () => {
  const left = leaveJoint(
    membership({ voters: [1, 4], votersOutgoing: [1, 2, 3], learners: [5], learnersNext: [2], autoLeave: true }),
  )
  assert.deepEqual(left.configuration, configuration({ voters: [1, 4], learners: [2, 5] }))
  assert.deepEqual([...left.progress.keys()].sort(), [1, 2, 4, 5])
  assert.equal(
    refusal(() => leaveJoint(left)),
    'not-joint',
  )
})

test('what is known of a member stays with it; a new one begins anew', () => {
  const changed = simpleChange(membership({ voters: [1, 2] }), changes('l3'), options)
  assert.deepEqual([...changed.progress.values()], ['old 1', 'old 2', 'new 3'])
})

test('changeMembership() goes through a joint configuration only where it must, or is told to', () => {
  const three = membership({ voters: [1, 2, 3] })
  const joint = (mode: ConfigChange['mode'], text: string) =>
    isJoint(changeMembership(three, { mode, changes: changes(text) }, options).configuration)
  assert.deepEqual([joint('auto', 'v4'), joint('auto', 'v4 v5'), joint('joint', 'v4')], [false, true, true])
  const stays = changeMembership(three, { mode: 'joint-until-left', changes: changes('v4') }, options)
  assert.equal(stays.configuration.autoLeave, false)
  const left = changeMembership(stays, { mode: 'leave', changes: [] }, options)
  assert.deepEqual(left.configuration, configuration({ voters: [1, 2, 3, 4] }))
  assert.equal(
    refusal(() => changeMembership(stays, { mode: 'leave', changes: changes('v5') }, options)),
    'bad-change',
  )
  assert.equal(
    refusal(() => changeMembership(stays, { mode: 'auto', changes: changes('v5') }, options)),
    'already-joint',
  )
})

test('changeMembership() refuses a mode that there is not', () => {
  const mode = 'sideways' as ConfigChange['mode']
  const three = membership({ voters: [1, 2, 3] })
  assert.equal(
    refusal(() => changeMembership(three, { mode, changes: changes('v4') }, options)),
    'bad-change',
  )
})

test('changeMembership() lets a new group begin with as many voters as it likes', () => {
  const first = changeMembership(membership({}), { mode: 'auto', changes: changes('v1 v2 v3') }, options)
  assert.deepEqual(first.configuration, configuration({ voters: [1, 2, 3] }))
})

const step = fc.record({
  action: fc.constantFrom('add-voter', 'add-learner', 'remove') as fc.Arbitrary<MemberChange['action']>,
  id: fc.integer({ min: 1, max: 7 }),
})
const anyChange = fc.record({
  mode: fc.constantFrom('auto', 'joint', 'joint-until-left', 'leave') as fc.Arbitrary<ConfigChange['mode']>,
  changes: fc.array(step, { maxLength: 4 }),
})

function checkSound({ configuration: after, progress }: Membership<string>): void {
  const voting = new Set([...after.voters, ...after.votersOutgoing])
  assert.ok(after.voters.length > 0)
  assert.ok(
    after.learners.every((id) => !voting.has(id)),
    'a learner does not vote',
  )
  assert.ok(
    after.learnersNext.every((id) => after.votersOutgoing.includes(id) && !after.voters.includes(id)),
    'only an old voter waits to be a learner',
  )
  if (!isJoint(after)) assert.deepEqual([after.learnersNext, after.autoLeave], [[], false])
  assert.deepEqual([...progress.keys()].sort(), membersOf(after), 'progress of each member and of nobody else')
}

/** Whether any two deciding sets of the two configurations share a node. */
function everyQuorumMeets(before: Configuration, after: Configuration): boolean {
  const all = [...new Set([...membersOf(before), ...membersOf(after)])]
  const decides = (by: Configuration, set: number) =>
    [by.voters, by.votersOutgoing].every(
      (half) => half.length === 0 || 2 * half.filter((id) => set & (1 << all.indexOf(id))).length > half.length,
    )
  for (let set = 0; set < 1 << all.length; set += 1) {
    if (decides(before, set) && decides(after, ((1 << all.length) - 1) & ~set)) return false
  }
  return true
}

test('after any changes a configuration is sound, its inputs are as they were, and old and new quorums meet', () => {
  fc.assert(
    fc.property(fc.array(anyChange, { maxLength: 12 }), (list) => {
      let current = membership({ voters: [1, 2, 3] })
      for (const change of list) {
        const before = structuredClone(current)
        let next = current
        const reason = refusal(() => {
          next = changeMembership(current, change, options)
        })
        assert.deepEqual(current, before)
        checkSound(next)
        assert.ok(everyQuorumMeets(current.configuration, next.configuration))
        if (reason !== undefined) assert.equal(next, current)
        current = next
      }
    }),
    { numRuns: 500 },
  )
})
