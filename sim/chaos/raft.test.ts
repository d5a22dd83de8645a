import assert from 'node:assert/strict'
import { test } from 'node:test'
import { torment } from './raft.ts'

/** One of each sort: the others are played by the command. */
const KINDS = ['halves', 'pause', 'disk-full', 'kill-all', 'clock'] as const

test('Three processes are cut off, stopped, filled and killed while clients write and read: nothing is lost, nothing is stale', async () => {
  const report = await torment({
    rounds: 1,
    seed: 1,
    ackedPerRound: 200,
    sessions: 8,
    faultsPerRound: KINDS.length,
    kinds: KINDS,
    groups: [{ members: 3, disk: 'small' }],
    progress: () => {},
  })
  assert.deepEqual(report.problems, [])
  assert.equal(report.lost + report.staleReads + report.timeWentBack, 0)
  assert.ok(report.linearizable)
  assert.ok(report.acked >= 200 && report.reads > 0)
  for (const kind of KINDS) assert.equal(report.faults[kind], 1, kind)
})
