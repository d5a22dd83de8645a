import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type CommandHistory, checkEffects } from './check-effects.ts'

const id = { intentId: 'i', agentId: 'a' }
const sent = { ...id, deadlineMs: 1_000, idempotent: false, epoch: 3 }
const effect = { ...id, epoch: 3, startedAtMs: 900 }

function history(parts: Partial<CommandHistory>): CommandHistory {
  return { sent: [sent], effects: [], outcomes: [], told: [], ...parts }
}

describe('checkEffects()', () => {
  it('finds no fault in what is allowed', () => {
    const done = { ...id, state: 'done' }
    const unknown = { ...id, state: 'unknown', reason: 'interrupted' }
    for (const innocent of [
      history({}),
      history({ effects: [effect], outcomes: [done, done], told: [done] }),
      history({ effects: [effect], outcomes: [unknown], told: [unknown] }),
      history({ outcomes: [unknown] }),
      history({ outcomes: [{ ...id, state: 'expired' }], told: [{ ...id, state: 'unknown' }] }),
      history({ effects: [effect], outcomes: [done, { ...id, state: 'expired' }] }),
      history({ sent: [{ ...sent, epoch: undefined }], effects: [{ ...effect, epoch: 4 }] }),
      history({ sent: [{ ...sent, idempotent: true }], effects: [effect, effect], outcomes: [done] }),
    ]) {
      assert.deepEqual(checkEffects(innocent), [])
    }
  })

  const guilty: ReadonlyArray<readonly [name: string, parts: Partial<CommandHistory>, fault: RegExp]> = [
    ['an effect twice', { effects: [effect, effect] }, /took effect 2 times/],
    ['an effect begun after the deadline', { effects: [{ ...effect, startedAtMs: 1_001 }] }, /1 ms after its deadline/],
    [
      'an effect in another epoch',
      { effects: [{ ...effect, epoch: 4 }] },
      /sent to epoch 3 and took effect in epoch 4/,
    ],
    ['an effect of nothing', { sent: [], effects: [effect] }, /never sent/],
    ['done without an effect', { outcomes: [{ ...id, state: 'done' }] }, /had no effect/],
    ['expired with an effect', { effects: [effect], outcomes: [{ ...id, state: 'expired' }] }, /expired and took/],
    ['rejected with an effect', { effects: [effect], outcomes: [{ ...id, state: 'rejected' }] }, /rejected and took/],
    [
      'replaced with an effect',
      { effects: [effect], outcomes: [{ ...id, state: 'failed', reason: 'replaced' }] },
      /replaced and took/,
    ],
    [
      'two outcomes that contradict each other',
      {
        effects: [effect],
        outcomes: [
          { ...id, state: 'done' },
          { ...id, state: 'unknown' },
        ],
      },
      /done and unknown/,
    ],
    ['an outcome that nobody reported', { effects: [effect], told: [{ ...id, state: 'done' }] }, /nobody reported/],
  ]
  for (const [name, parts, fault] of guilty) {
    it(`finds ${name}`, () => {
      assert.match(checkEffects(history(parts)).join('\n'), fault)
    })
  }
})
