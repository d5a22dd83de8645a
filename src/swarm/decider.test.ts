import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Decider, type Moment } from './decider.ts'
import { DEFAULT_LIVENESS_POLICY } from './liveness.ts'
import type { JoinRequest } from './protocol.ts'

const WALL_MS = 1_700_000_000_000
const LIMITS = { agentsMax: 3, forgetAfterMs: 60_000 }

function at(ms: number): Moment {
  return { wallMs: WALL_MS + ms, monotonicMs: ms }
}

function newDecider(): Decider {
  const decider = new Decider(DEFAULT_LIVENESS_POLICY, LIMITS)
  decider.tick(at(0))
  return decider
}

function joinRequest(id: string, joinId = `join of ${id}`): JoinRequest {
  return { id, type: 'rover', region: 'north', labels: { team: 'red' }, capabilities: ['lidar'], joinId }
}

function join(decider: Decider, request: JoinRequest, where: { epoch: number; connection?: string; ms?: number }) {
  const now = at(where.ms ?? 0)
  const planned = decider.planJoin(request, now)
  assert.ok('state' in planned)
  const fenced = decider.confirmJoin({ ...planned.state, epoch: where.epoch }, where.connection, now)
  return { events: planned.events.map((event) => event.kind), fenced }
}

function tickThrough(decider: Decider, fromMs: number, toMs: number): string[] {
  const told: string[] = []
  for (let ms = fromMs + 250; ms <= toMs; ms += 250) {
    decider.tick(at(ms))
    for (const { events } of decider.takeUnwritten(() => false, at(ms))) told.push(`${ms} ${events[0]!.kind}`)
  }
  return told
}

describe('Decider', () => {
  it('a newer join fences the older: event, pulse answer, refused change and leave', () => {
    const decider = newDecider()
    assert.deepEqual(join(decider, joinRequest('a'), { epoch: 1, connection: 'c1' }).events, ['joined'])
    const again = join(decider, joinRequest('a', 'other process'), { epoch: 7, connection: 'c2' })
    assert.deepEqual(again.events, ['fenced', 'joined'])
    assert.deepEqual(again.fenced, { agentId: 'a', epoch: 1, byEpoch: 7, connection: 'c1' })
    assert.equal(decider.pulse({ id: 'a', epoch: 1 }, 'c1', at(10)).state, 'fenced')
    assert.equal(decider.pulse({ id: 'a', epoch: 7 }, 'c2', at(10)).state, 'alive')
    assert.throws(() => decider.planLeave({ id: 'a', epoch: 1 }, at(20)), { code: 'fenced' })
    assert.throws(() => decider.planChange({ id: 'a', epoch: 1, change: { region: 'south' } }, at(20)), {
      code: 'fenced',
    })
  })

  it('answers a repeat of the same join with the same epoch', () => {
    const decider = newDecider()
    join(decider, joinRequest('a'), { epoch: 5 })
    assert.deepEqual(decider.planJoin(joinRequest('a'), at(100)), { epoch: 5 })
  })

  it('an epoch it never gave is unknown, not alive', () => {
    const decider = newDecider()
    assert.equal(decider.pulse({ id: 'a', epoch: 1 }, undefined, at(0)).state, 'unknown')
    join(decider, joinRequest('a'), { epoch: 5 })
    assert.equal(decider.pulse({ id: 'a', epoch: 6 }, undefined, at(0)).state, 'unknown')
  })

  it('tells suspect, lost and back, each once', () => {
    const decider = newDecider()
    join(decider, joinRequest('a'), { epoch: 1 })
    assert.deepEqual(tickThrough(decider, 0, 12_000), ['3000 suspect', '10000 lost'])
    assert.equal(decider.get('a')?.liveness, 'lost')
    decider.pulse({ id: 'a', epoch: 1 }, undefined, at(12_100))
    const [back] = decider.takeUnwritten(() => false, at(12_100))
    assert.equal(back?.events[0]?.kind, 'back')
    assert.equal(back?.state.liveness, 'alive')
  })

  it('a closed connection makes suspect only those whose newest connection it was', () => {
    const decider = newDecider()
    join(decider, joinRequest('a'), { epoch: 1, connection: 'c1' })
    join(decider, joinRequest('b'), { epoch: 2, connection: 'c1' })
    decider.pulse({ id: 'b', epoch: 2 }, 'c2', at(100))
    decider.connectionClosed('c1')
    const taken = decider.takeUnwritten(() => false, at(100))
    assert.deepEqual(
      taken.map(({ state, events }) => [state.id, events[0]!.reason]),
      [['a', 'connection-closed']],
    )
    assert.equal(decider.get('b')?.liveness, 'alive')
  })

  it('the old connection of an agent that joined anew may close: the newer session stays alive', () => {
    const decider = newDecider()
    join(decider, joinRequest('a'), { epoch: 1, connection: 'c1' })
    join(decider, joinRequest('b'), { epoch: 2, connection: 'c1' })
    join(decider, joinRequest('a', 'again'), { epoch: 3, connection: 'c2' })
    assert.deepEqual(decider.agentsOn('c1'), new Set(['b']))
    decider.connectionClosed('c1')
    assert.equal(decider.get('a')?.liveness, 'alive')
    assert.deepEqual(
      decider.takeUnwritten(() => false, at(0)).map(({ state }) => state.id),
      ['b'],
    )
    decider.connectionClosed('c2')
    assert.equal(decider.get('a')?.liveness, 'suspect')
  })

  it('keeps a transition that could not be written, and drops one that undid itself', () => {
    const decider = newDecider()
    join(decider, joinRequest('a'), { epoch: 1, connection: 'c1' })
    decider.connectionClosed('c1')
    const taken = decider.takeUnwritten(() => false, at(0))
    assert.equal(decider.hasUnwritten, false)
    decider.giveBack(taken)
    assert.equal(decider.takeUnwritten(() => true, at(0)).length, 0)
    assert.equal(decider.hasUnwritten, true)
    decider.pulse({ id: 'a', epoch: 1 }, 'c2', at(50))
    assert.deepEqual(
      decider.takeUnwritten(() => false, at(50)),
      [],
    )
    assert.equal(decider.hasUnwritten, false)
  })

  it('moves and changes roles, each with its event, and writes nothing when nothing differs', () => {
    const decider = newDecider()
    join(decider, joinRequest('a'), { epoch: 1 })
    const change = { region: 'south', capabilities: ['lidar', 'arm'] }
    const decided = decider.planChange({ id: 'a', epoch: 1, change }, at(10))!
    assert.deepEqual(
      decided.events.map(({ kind, fromRegion }) => [kind, fromRegion]),
      [
        ['moved', 'north'],
        ['role-changed', undefined],
      ],
    )
    assert.equal(decider.get('a')?.region, 'north')
    decider.confirm(decided)
    assert.equal(decider.get('a')?.region, 'south')
    assert.equal(decider.planChange({ id: 'a', epoch: 1, change }, at(20)), undefined)
    assert.deepEqual(
      decider.select({ region: 'south', capability: 'arm', labels: { team: 'red' } }).map(({ id }) => id),
      ['a'],
    )
    assert.deepEqual(decider.select({ labels: { team: 'blue' } }), [])
  })

  it('one that left is out of selections, is silent, and is forgotten in time', () => {
    const decider = newDecider()
    join(decider, joinRequest('a'), { epoch: 1, connection: 'c1' })
    decider.confirm(decider.planLeave({ id: 'a', epoch: 1 }, at(0))!)
    assert.equal(decider.planLeave({ id: 'a', epoch: 1 }, at(1)), undefined)
    assert.deepEqual(decider.select({}), [])
    assert.equal(decider.pulse({ id: 'a', epoch: 1 }, 'c1', at(2)).state, 'unknown')
    decider.connectionClosed('c1')
    assert.deepEqual(tickThrough(decider, 0, 30_000), [])
    assert.deepEqual(decider.forgettable(at(60_000)), [])
    assert.deepEqual(decider.forgettable(at(60_001)), ['a'])
    decider.confirmForgotten('a')
    assert.equal(decider.get('a'), undefined)
  })

  it('refuses agents beyond its limit, but lets one of them join again', () => {
    const decider = newDecider()
    for (const [index, id] of ['a', 'b', 'c'].entries()) join(decider, joinRequest(id), { epoch: index })
    assert.throws(() => decider.planJoin(joinRequest('d'), at(0)), { code: 'overloaded' })
    assert.equal(join(decider, joinRequest('a', 'again'), { epoch: 9 }).fenced?.byEpoch, 9)
  })

  it('lets one that left before a restart stay away, whatever it was before', () => {
    const before = newDecider()
    join(before, joinRequest('a'), { epoch: 1 })
    const { state } = before.planLeave({ id: 'a', epoch: 1 }, at(10))!
    const after = newDecider()
    after.restore({ ...state, liveness: 'alive' }, at(0))
    after.restore(state, at(0))
    assert.deepEqual(tickThrough(after, 0, 30_000), [])
    assert.equal(after.get('a')?.liveness, 'left')
  })

  it('gives agents restored from the roster a grace, and keeps lost ones lost', () => {
    const decider = newDecider()
    const state = { ...joinRequest('a'), labels: {}, capabilities: [], joinedAtMs: 0, seenAtMs: 0, epoch: 1 }
    decider.restore({ ...state, liveness: 'alive' }, at(0))
    decider.restore({ ...state, id: 'b', liveness: 'lost' }, at(0))
    assert.deepEqual(tickThrough(decider, 0, 8_000), ['8000 suspect'])
    assert.equal(decider.get('b')?.liveness, 'lost')
  })
})
