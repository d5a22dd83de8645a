import assert from 'node:assert/strict'
import { test } from 'node:test'
import { configuration, type Entry } from '../../../src/raft/index.ts'
import { seededRandom } from '../../../testing/index.ts'
import { StateMachine } from '../state-machine.ts'
import { Applier } from './applier.ts'
import type { MemberHost } from './member.ts'

/** A state machine that takes its time, which passes only when a test says so. */
function slowApplier() {
  const waiting: Array<() => void> = []
  const host = {
    applyMsMax: 80,
    random: seededRandom(1),
    after: (_: number, callback: () => void) => {
      waiting.push(callback)
      return { cancel: () => {} }
    },
    createStateMachine: (image?: Uint8Array) => new StateMachine(1, image),
    applied: () => {},
    restored: () => {},
  }
  const advanced: number[] = []
  const applier = new Applier(host as Partial<MemberHost> as MemberHost, {
    machine: new StateMachine(1),
    applyConfig: () => {},
    applied: () => {},
    advanced: (index) => advanced.push(index),
  })
  return { applier, advanced, waiting }
}

const entry = (index: number): Entry => ({ index, term: 1, kind: 'empty', data: new Uint8Array(0) })

test('what waits while the state machine is busy takes effect together, however often the log moved meanwhile', () => {
  const { applier, advanced, waiting } = slowApplier()
  for (let index = 1; index <= 5; index += 1) applier.apply([entry(index)])
  assert.deepEqual([waiting.length, advanced], [1, []])
  waiting.shift()!()
  for (let index = 6; index <= 9; index += 1) applier.apply([entry(index)])
  waiting.shift()!()
  assert.deepEqual([waiting.length, advanced], [0, [5, 9]])
})

test('nothing behind a snapshot takes effect before that is durable', () => {
  const { applier, advanced, waiting } = slowApplier()
  const source = new StateMachine(1)
  for (let index = 1; index <= 4; index += 1) source.apply(entry(index))
  const metadata = { index: 4, term: 1, configuration: configuration({ voters: [1] }) }
  const snapshot = { metadata, state: source.image() }
  applier.apply([entry(1)])
  applier.restore(snapshot)
  applier.apply([entry(5)])
  waiting.shift()!()
  assert.deepEqual([waiting.length, advanced], [0, [1]])
  applier.restoreIsDurable(snapshot)
  waiting.shift()!()
  assert.deepEqual(advanced, [1, 5])
})
