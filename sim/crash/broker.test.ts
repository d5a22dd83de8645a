import assert from 'node:assert/strict'
import { it } from 'node:test'
import { requireService } from '../../test/services/require-service.ts'
import { run, shortfalls } from './broker.ts'

const { skip } = await requireService('nats')
const SMALL = { seed: 1, ackedPerRound: 1_000, driver: 'jetstream', progress: () => {} }

it('JetStream and its clients are killed in turn: nothing is lost, reordered or takes effect twice (small run)', {
  skip,
}, async () => {
  const options = { ...SMALL, rounds: 4 }
  assert.deepEqual(shortfalls(await run(options), options), [])
})

it('a node of three is replaced by an empty one under load: nothing is lost, reordered or takes effect twice (small run)', {
  skip,
  // Each step has a bound of its own, and says which one it was: servers that elect anew under load take their time.
  timeout: 480_000,
}, async () => {
  const options = { ...SMALL, rounds: 1, nodes: 3 }
  const report = await run(options)
  assert.equal(report.durability, 'replicated')
  assert.deepEqual(shortfalls(report, options), [])
})
