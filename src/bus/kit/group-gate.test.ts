import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { GroupGate } from './group-gate.ts'
import { resolveRetryPolicy } from './retry-policy.ts'

const NOTHING = { settled: 0, delivered: 0, held: [], attempts: [] }

function gate(stored: Partial<ConstructorParameters<typeof GroupGate>[0]> = {}, retry = {}) {
  return new GroupGate({ ...NOTHING, ...stored }, resolveRetryPolicy(retry))
}

const message = (offset: number, key?: string) => ({ offset, key, subject: 'a.subject' })

function give(one: GroupGate, from: number, through = from): void {
  one.position = through + 1
  one.noteGiven({ first: from, last: through, count: through - from + 1, offsets: () => assert.fail('it is dense') })
}

describe('GroupGate', () => {
  it('gives what is fresh as the first attempt, and what was given in vain as the next', () => {
    const one = gate({ delivered: 2 })
    assert.deepEqual(
      [0, 1, 2].map((offset) => one.decide(message(offset), 0)),
      [2, 2, 1],
    )
  })

  it('passes over what was done before a restart', () => {
    const one = gate({ settled: 3, delivered: 3, held: [[1, 1]] })
    assert.deepEqual(
      [0, 1, 2, 3].map((offset) => one.decide(message(offset), 0)),
      ['skip', 2, 'skip', 1],
    )
  })

  it('holds back what comes behind a held message of its key, or of its subject where it has none, and gives others', () => {
    const one = gate()
    give(one, 0, 1)
    one.progress.putBack({ offset: 0, orderKey: 'k' }, { counts: true, dueMs: 100 })
    one.progress.putBack({ offset: 1, orderKey: 'a.subject' }, { counts: true, dueMs: 100 })
    assert.deepEqual(
      [message(2, 'k'), message(3), message(4, 'other')].map((each) => one.decide(each, 0)),
      ['skip', 'skip', 1],
    )
    assert.ok(one.progress.held.has(2) && one.progress.held.has(3))
    assert.equal(one.decide(message(2, 'k'), 0), 'skip', 'looked at again')
    assert.equal(one.progress.held.size, 4)
  })

  it('stops where as many are held as may be', () => {
    const one = gate({}, { parkedMax: 1 })
    give(one, 0)
    one.progress.putBack({ offset: 0, orderKey: 'k' }, { counts: true, dueMs: 100 })
    assert.equal(one.decide(message(1, 'k'), 0), 'stop')
    assert.equal(one.canFetch, false)
  })

  it('gives a suspect alone, with nothing before it in hand and nothing behind it', () => {
    const one = gate({ attempts: [[1, 2, 2]] })
    assert.equal(one.decide(message(0), 0), 1)
    assert.equal(one.decide(message(1), 1), 'stop', 'not in one batch with another')
    give(one, 0)
    assert.equal(one.decide(message(1), 0), 'stop', 'not while another is in hand')
    assert.equal(one.canFetch, false)
    one.progress.acknowledge(0)
    one.settled()
    assert.equal(one.decide(message(1), 0), 3)
    give(one, 1)
    assert.deepEqual([one.canFetch, one.decide(message(2), 0)], [false, 'stop'])
    one.progress.acknowledge(1)
    one.settled()
    assert.deepEqual([one.canFetch, one.decide(message(2), 0)], [true, 1])
  })

  it('lets die what was given in vain as often as it may be', () => {
    const one = gate({ attempts: [[0, 1, 3]] }, { attemptsMax: 3 })
    assert.equal(one.decide(message(0, 'k'), 0), 'skip')
    assert.deepEqual(
      one.dying.map(({ offset, state }) => [offset, state]),
      [[0, 'dying']],
    )
    assert.equal(one.decide(message(1, 'k'), 0), 'skip', 'its key waits until it is buried')
  })

  it('gives nothing while it is stopping or blocked, and begins anew elsewhere with nothing held', async () => {
    const one = gate()
    give(one, 0)
    one.progress.putBack({ offset: 0, orderKey: 'k' }, { counts: true, dueMs: 100 })
    assert.deepEqual([one.nextDueMs(), one.hasDue(99), one.hasDue(100)], [100, false, true])
    one.isBlocked = true
    assert.deepEqual([one.canFetch, one.nextDueMs()], [false, undefined])
    give(one, 1)
    const idle = one.whenIdle()
    one.restartAt(7)
    await idle
    assert.deepEqual([one.isBlocked, one.isPlain, one.canFetch, one.position], [false, true, true, 7])
    one.isStopping = true
    assert.equal(one.canFetch, false)
  })
})
