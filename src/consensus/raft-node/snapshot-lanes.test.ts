import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SimulatedClock, seededRandom } from '../../../testing/index.ts'
import { memoryDisk } from '../../core/index.ts'
import { openDirectoryStore } from '../../objects/index.ts'
import { configuration } from '../../raft/index.ts'
import { SnapshotStore } from '../snapshot-store.ts'
import { SnapshotLanes } from './snapshot-lanes.ts'
import type { SnapshotRecord } from './snapshot-record.ts'
import type { Transport } from './transport.ts'

const metadataOf = (index: number) => ({ index, term: 1, configuration: configuration({ voters: [1, 2] }) })

/** Lanes of a member whose peer can be connected to when the test says so, and its snapshots. */
async function make() {
  const clock = new SimulatedClock()
  const objects = await openDirectoryStore({ disk: memoryDisk(), directory: 'objects' })
  const snapshots = new SnapshotStore({ objects, random: seededRandom(1) })
  const connecting = Promise.withResolvers<never>()
  const state: { record: SnapshotRecord | undefined } = { record: undefined }
  const sent: boolean[] = []
  const lanes = new SnapshotLanes({
    clock,
    snapshots,
    transport: { openSnapshotLane: () => connecting.promise } as Pick<Transport, 'openSnapshotLane'> as Transport,
    store: { identity: { node: 1 } },
    record: () => state.record,
    isWanted: () => true,
    onSent: (_, ok) => sent.push(ok),
    onArrived: () => undefined,
  })
  const take = async (index: number): Promise<SnapshotRecord> => {
    const snapshot = await snapshots.write({ index, timeMs: 1 }, seededRandom(index).bytes(100))
    state.record = { metadata: metadataOf(index), snapshot, members: { addresses: [], spent: [] } }
    return state.record
  }
  return { lanes, snapshots, take, sent, connecting }
}

test('A snapshot that is being sent stays until it has arrived or failed, though a newer one took its place', async () => {
  const { lanes, snapshots, take, sent, connecting } = await make()
  const older = await take(10)
  lanes.send({ type: 'snapshot', from: 1, to: 2, term: 1, snapshot: older.metadata })
  await new Promise(setImmediate)
  const newer = await take(20)
  await lanes.deleteOldSnapshots()
  assert.equal((await snapshots.manifest(older.snapshot)).index, 10)
  connecting.reject(new Error('the peer is gone'))
  await new Promise(setImmediate)
  assert.deepEqual(sent, [false])
  await lanes.deleteOldSnapshots()
  await assert.rejects(snapshots.manifest(older.snapshot), { code: 'not-found' })
  assert.equal((await snapshots.manifest(newer.snapshot)).index, 20)
})

test('A snapshot that is no longer the newest is not sent', async () => {
  const { lanes, take, sent } = await make()
  const older = await take(10)
  await take(20)
  lanes.send({ type: 'snapshot', from: 1, to: 2, term: 1, snapshot: older.metadata })
  await new Promise(setImmediate)
  assert.deepEqual(sent, [false])
})
