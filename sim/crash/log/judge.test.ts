import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { judge } from './judge.ts'
import { type Attempt, LogLedger } from './log-ledger.ts'
import type { ReadBack } from './read-back.ts'
import { textOf } from './record-text.ts'

function ledgerOf(...attempts: Array<Partial<Attempt> & { readonly firstNumber: number }>): LogLedger {
  const ledger = new LogLedger()
  for (const attempt of attempts) {
    const known = { count: 1, durability: 'durable', outcome: 'acknowledged', untyped: undefined } as const
    ledger.attempts.push({ ...known, baseOffset: attempt.firstNumber - 1, ...attempt })
  }
  return ledger
}

function found(numbers: ReadonlyArray<number | string>, more: Partial<ReadBack> = {}): ReadBack {
  const records = numbers.map((number, offset) => ({
    offset,
    text: typeof number === 'string' ? number : textOf(number),
  }))
  return { startOffset: 0, endOffset: numbers.length, records, lost: [], failures: [], ...more }
}

const acknowledged = ledgerOf({ firstNumber: 1 }, { firstNumber: 2 }, { firstNumber: 3 })

describe('judge()', () => {
  it('accepts a log that has what was acknowledged, and what may be there', () => {
    assert.deepEqual(judge(acknowledged, found([1, 2, 3])), { lost: 0, silent: 0, reported: [], notes: [] })
    const unknown = ledgerOf({ firstNumber: 1 }, { firstNumber: 2, outcome: 'unknown' })
    assert.equal(judge(unknown, found([1])).silent, 0)
    assert.equal(judge(unknown, found([1, 2])).silent, 0)
  })

  it('rejects a log that ends before what was acknowledged', () => {
    const verdict = judge(acknowledged, found([1, 2]))
    assert.deepEqual([verdict.lost, verdict.silent], [1, 1])
  })

  it('counts as lost but not silent what an error names', () => {
    const more = { endOffset: 3, lost: [{ from: 2, to: 3 }] }
    const verdict = judge(acknowledged, found([1, 2], more))
    assert.deepEqual([verdict.lost, verdict.silent, verdict.reported], [1, 0, [2]])
  })

  it('rejects changed, doubled, reordered, refused and foreign records, and gaps', () => {
    const four = ledgerOf(
      { firstNumber: 1 },
      { firstNumber: 2, outcome: 'unknown' },
      { firstNumber: 3, outcome: 'refused' },
    )
    for (const records of [
      [1, `${textOf(2)}x`],
      [1, 1],
      [1, 2, 1],
      [2, 1],
      [1, 2, 3],
      [1, 9],
    ]) {
      assert.ok(judge(four, found(records)).silent > 0, JSON.stringify(records))
    }
    assert.ok(judge(four, found([1], { endOffset: 2 })).silent > 0)
  })

  it('rejects what a reader saw and no longer finds, and failures without a type', () => {
    const seen = ledgerOf({ firstNumber: 1, outcome: 'unknown' })
    seen.seen.set(0, 1)
    assert.equal(judge(seen, found([])).silent, 1)
    assert.ok(judge(acknowledged, found([1, 2, 3], { failures: [new Error('boom')] })).silent > 0)
    assert.ok(judge(ledgerOf({ firstNumber: 1, untyped: new Error('boom') }), found([1])).silent > 0)
  })

  it('rejects a log that begins before where it was cut, or behind', () => {
    const cut = ledgerOf({ firstNumber: 1 }, { firstNumber: 2 }, { firstNumber: 3 })
    cut.start.promised = 1
    cut.start.asked = 2
    const beginningAt = (startOffset: number) => {
      const all = found([1, 2, 3])
      return { ...all, startOffset, records: all.records.slice(startOffset) }
    }
    assert.equal(judge(cut, beginningAt(1)).silent, 0)
    assert.equal(judge(cut, beginningAt(2)).silent, 0)
    assert.equal(judge(cut, beginningAt(0)).silent, 1)
    assert.equal(judge(cut, beginningAt(3)).silent, 1)
  })

  it('asks for written records only when told that the process alone died', () => {
    const written = ledgerOf({ firstNumber: 1, durability: 'written' })
    assert.equal(judge(written, found([])).lost, 0)
    assert.equal(judge(written, found([]), { durability: 'written' }).lost, 1)
  })
})
