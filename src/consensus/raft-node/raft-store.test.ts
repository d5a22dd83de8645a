import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SimulatedClock, SimulatedDisk, seededRandom } from '../../../testing/index.ts'
import { RaftStore } from './raft-store.ts'

const MEMBERS: ReadonlyArray<readonly [number, string]> = [
  [1, 'one:1'],
  [2, 'two:1'],
  [10, 'ten:1'],
]

async function firstEntries(node: number, bootstrap: typeof MEMBERS) {
  const parts = { disk: new SimulatedDisk(), clock: new SimulatedClock(), random: seededRandom(node) }
  const { store, state } = await RaftStore.open({ ...parts, directory: 'raft', cluster: 'test', node, bootstrap })
  await store.close()
  return state.entries
}

test('First members make the same log, in whatever order their configurations name them', async () => {
  const bytesOf = async (node: number, bootstrap: typeof MEMBERS) =>
    (await firstEntries(node, bootstrap)).map(({ data, ...place }) => ({
      ...place,
      bytes: Buffer.from(data).toString('hex'),
    }))
  const entries = await bytesOf(1, MEMBERS)
  assert.equal(entries.length, 1)
  assert.deepEqual(await bytesOf(2, MEMBERS.toReversed()), entries)
  assert.deepEqual(await bytesOf(10, [MEMBERS[1]!, MEMBERS[2]!, MEMBERS[0]!]), entries)
})
