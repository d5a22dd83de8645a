import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import * as flip from './flip.ts'
import * as power from './power.ts'
import * as syscalls from './syscalls.ts'
import * as truncate from './truncate.ts'
import type { CrashVariant } from './variant.ts'

const SEED = 20_240_229

async function expectNothingMissed<Report extends object>(
  variant: CrashVariant<Report>,
  rounds: number,
): Promise<Report> {
  const options = { rounds, seed: SEED, progress: () => {} }
  const report = await variant.run(options)
  assert.deepEqual(variant.shortfalls(report, options), [], JSON.stringify(report))
  return report
}

describe('The log, on a machine that breaks', () => {
  it('loses nothing durable when the power fails under load', async () => {
    const report = await expectNothingMissed(power, 400)
    assert.ok(report.acked > 10_000, 'the rounds are about something')
  })

  it('comes back to the last whole batch of a segment cut anywhere, or says what is lost', async () => {
    await expectNothingMissed(truncate, 1_024)
  })

  it('never gives a record with a flipped bit, and never deletes what was synced', async () => {
    await expectNothingMissed(flip, 1_024)
  })

  it('fails with a type, and comes back, when any system call fails', async () => {
    const report = await expectNothingMissed(syscalls, 120)
    for (const call of ['writev', 'fdatasync', 'fsyncdir', 'rename', 'create', 'read']) {
      assert.ok((report.byCall[call] ?? 0) > 0, `${call} was made to fail`)
    }
  })
})

describe('The bars of the crash variants', () => {
  const options = { rounds: undefined, seed: 1, progress: () => {} }
  const damaged = { cases: 1_000_000, silent: 0, lostDurable: 0, notes: [] }

  it('are missed by one lost or one silent record, and by too few cases', () => {
    const powered = { rounds: 1_000, losses: 3_000, acked: 9, lost: 0, silent: 0, falseAlarms: 0, notes: [] }
    assert.deepEqual(power.shortfalls(powered, options), [])
    for (const miss of [{ lost: 1 }, { silent: 1 }, { falseAlarms: 1 }, { rounds: 999 }, { losses: 10 }]) {
      assert.equal(power.shortfalls({ ...powered, ...miss }, options).length, 1)
    }
    for (const miss of [{ silent: 1 }, { lostDurable: 1 }, { cases: 65_535 }]) {
      assert.equal(truncate.shortfalls({ ...damaged, ...miss }, options).length, 1)
      assert.equal(flip.shortfalls({ ...damaged, ...miss }, options).length, 1)
    }
    const failed = { ...damaged, cases: 200, traced: 0, injected: 0, byCall: {} }
    assert.deepEqual(syscalls.shortfalls(failed, options), [])
    assert.equal(syscalls.shortfalls({ ...failed, cases: 99 }, options).length, 1)
    assert.match(syscalls.shortfalls({ ...failed, traced: 16 }, options).join(), /strace made no call fail/)
  })
})
