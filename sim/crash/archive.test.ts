import assert from 'node:assert/strict'
import { it } from 'node:test'
import { requireService } from '../../test/services/require-service.ts'
import { run, shortfalls } from './archive.ts'

const { skip } = await requireService('nats')

it('an archiver is killed, and the broker with it: what was acknowledged is archived and restored, once and in order (small run)', {
  skip,
}, async () => {
  const options = { seed: 1, rounds: 3, ackedPerRound: 600, progress: () => {} }
  const report = await run(options)
  assert.deepEqual(shortfalls(report, options), [])
  assert.equal(report.brokerKills, 1)
  // The judge: an archive that lacks a message, or has one twice, does not pass.
  assert.equal(shortfalls({ ...report, archived: report.acked - 1 }, options).length, 2)
  assert.equal(shortfalls({ ...report, doubled: 1, lost: 1 }, options).length, 2)
})
