import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { CommandRecord } from './command-record.ts'
import { IntentTable } from './intent-table.ts'

function record(intentId: string): CommandRecord {
  return { intentId, sender: 'tower', type: 'move-to', deadlineMs: 5, addressees: [] }
}

function watched(agentId: string) {
  return { agentId, sentEpoch: 1, held: false, sentAtMs: 0, sighting: undefined }
}

describe('IntentTable', () => {
  it('knows who has not answered, whichever of command and outcome came first', () => {
    const table = new IntentTable({ commandsMax: 100 })
    table.report('one', 'a', { state: 'done', atMs: 0 })
    table.sent(record('one'), { hash: 'h' }, [watched('a'), watched('b')])
    assert.deepEqual(
      table.unanswered('one').map((each) => each.agentId),
      ['b'],
    )
    table.report('one', 'b', { state: 'unknown', atMs: 0 })
    assert.deepEqual(table.unanswered('one'), [])
    assert.deepEqual(table.unanswered('never seen'), [])
  })

  it('keeps the first outcome, but lets what is known take the place of unknown', () => {
    const table = new IntentTable({ commandsMax: 100 })
    table.report('one', 'a', { state: 'unknown', reason: 'interrupted', atMs: 0 })
    table.report('one', 'a', { state: 'rejected', reason: 'intent-reused', atMs: 0 })
    assert.equal(table.outcomes('one').get('a')?.state, 'unknown')
    table.report('one', 'a', { state: 'done', atMs: 0 })
    table.report('one', 'a', { state: 'expired', atMs: 0 })
    assert.equal(table.outcomes('one').get('a')?.state, 'done')
  })

  it('takes another body under the same id for no part of the intent', () => {
    const table = new IntentTable({ commandsMax: 100 })
    table.sent(record('one'), { hash: 'h' }, [watched('a')])
    table.sent(record('one'), { hash: 'other' }, [watched('b')])
    assert.deepEqual([...table.intent('one')!.commands.keys()], ['a'])
    assert.equal(table.intent('one')!.bodyHash, 'h')
  })

  it('lets the oldest go beyond its bound, each agent counted', () => {
    const table = new IntentTable({ commandsMax: 20 })
    for (let index = 0; index < 100; index += 1) {
      table.sent(record(`intent-${index}`), { hash: 'h' }, [watched('a'), watched('b'), watched('c')])
    }
    assert.ok(table.size <= 5, `${table.size} intents`)
    assert.equal(table.intent('intent-0'), undefined)
    assert.equal(table.intent('intent-99')?.commands.size, 3)
  })
})
