import assert from 'node:assert/strict'
import { it } from 'node:test'
import { requireService } from '../../test/services/require-service.ts'
import { run, shortfalls } from './bridge.ts'

const { skip } = await requireService('nats')

it('a bridge between two servers is killed, and a server with it: nothing is lost, doubled, reordered or changed (small run)', {
  skip,
}, async () => {
  const options = { seed: 1, rounds: 3, ackedPerRound: 600, driver: 'jetstream,jetstream', progress: () => {} }
  assert.deepEqual(shortfalls(await run(options), options), [])
})
