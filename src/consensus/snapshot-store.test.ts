import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seededRandom } from '../../testing/index.ts'
import { memoryDisk } from '../core/index.ts'
import { type ObjectStore, openDirectoryStore } from '../objects/index.ts'
import { SnapshotStore } from './snapshot-store.ts'

const AT = { index: 42, timeMs: 1_700_000_000_000 }

async function makeStore(seed = 1): Promise<{ readonly objects: ObjectStore; readonly snapshots: SnapshotStore }> {
  const objects = await openDirectoryStore({ disk: memoryDisk(), directory: 'objects' })
  return { objects, snapshots: new SnapshotStore({ objects, random: seededRandom(seed), chunkBytes: 1_000 }) }
}

async function contents(snapshots: SnapshotStore, snapshot: Parameters<SnapshotStore['read']>[0]): Promise<Buffer> {
  return Buffer.concat(await Array.fromAsync(snapshots.read(snapshot)))
}

test('A snapshot comes back as it was written, whole or in pieces of any size', async () => {
  const { snapshots } = await makeStore()
  const state = Buffer.from(seededRandom(7).bytes(3_500))
  async function* pieces() {
    for (let at = 0; at < state.length; at += 333) yield state.subarray(at, at + 333)
  }
  for (const given of [state, pieces()]) {
    const snapshot = await snapshots.write(AT, given)
    assert.equal(snapshot.bytes, 3_500)
    assert.equal(snapshot.index, 42)
    assert.deepEqual(await contents(snapshots, snapshot), state)
    assert.equal((await snapshots.manifest(snapshot)).chunks.length, 4)
  }
})

test('A snapshot with a flipped bit, in a chunk or in its manifest, is corrupt and never given', async () => {
  const { objects, snapshots } = await makeStore()
  for (const part of ['chunk-000002', 'manifest']) {
    const snapshot = await snapshots.write(AT, seededRandom(7).bytes(3_500))
    const name = `${snapshot.name}/${part}`
    const bytes = Buffer.from(await objects.get(name))
    bytes[bytes.length - 9]! ^= 1
    await objects.put(name, bytes)
    await assert.rejects(contents(snapshots, snapshot), { code: 'corrupt' })
  }
})

test('A snapshot of a later version is future-version, one that misses a chunk is not-found', async () => {
  const { objects, snapshots } = await makeStore()
  const snapshot = await snapshots.write(AT, seededRandom(7).bytes(3_500))
  await objects.delete(`${snapshot.name}/chunk-000001`)
  await assert.rejects(contents(snapshots, snapshot), { code: 'not-found' })
  const { createHash } = await import('node:crypto')
  const later = new TextEncoder().encode(JSON.stringify({ version: 2 }))
  await objects.put(`${snapshot.name}/manifest`, later)
  const checksum = createHash('sha256').update(later).digest('hex')
  await assert.rejects(snapshots.manifest({ ...snapshot, checksum }), { code: 'future-version' })
})

test('A chunk that is there and damaged does not count as there: it is fetched again', async () => {
  const { objects, snapshots } = await makeStore()
  const snapshot = await snapshots.write(AT, seededRandom(7).bytes(2_500))
  const { chunks } = await snapshots.manifest(snapshot)
  const name = `${snapshot.name}/chunk-000001`
  const damaged = Buffer.from(await objects.get(name))
  damaged[500]! ^= 1
  await objects.put(name, damaged)
  assert.equal(await snapshots.hasChunk(snapshot, 0, chunks[0]!), true)
  assert.equal(await snapshots.hasChunk(snapshot, 1, chunks[1]!), false)
})

test('A snapshot is carried to another store chunk by chunk, and exists there only when it is whole', async () => {
  const one = await makeStore(1)
  const other = await makeStore(2)
  const snapshot = await one.snapshots.write(AT, seededRandom(7).bytes(2_500))
  const manifest = await one.snapshots.manifest(snapshot)
  for (const [number, expected] of manifest.chunks.entries()) {
    assert.equal(await other.snapshots.hasChunk(snapshot, number, expected), false)
    const bytes = await one.snapshots.chunk(snapshot, number, expected)
    const damaged = Buffer.from(bytes)
    damaged[3]! ^= 1
    await assert.rejects(other.snapshots.putChunk(snapshot, { number, expected }, damaged), { code: 'corrupt' })
    await other.snapshots.putChunk(snapshot, { number, expected }, bytes)
    assert.equal(await other.snapshots.hasChunk(snapshot, number, expected), true)
  }
  await assert.rejects(other.snapshots.manifest(snapshot), { code: 'not-found' })
  await assert.rejects(other.snapshots.adopt(snapshot, { ...manifest, index: 43 }), { code: 'corrupt' })
  await other.snapshots.adopt(snapshot, manifest)
  assert.deepEqual(await contents(other.snapshots, snapshot), await contents(one.snapshots, snapshot))
})

test('Old snapshots and unfinished ones are deleted, the kept one stays', async () => {
  const { objects, snapshots } = await makeStore()
  await snapshots.write({ ...AT, index: 1 }, seededRandom(7).bytes(2_500))
  const kept = await snapshots.write(AT, seededRandom(8).bytes(2_500))
  await objects.put('snapshots/0000000000000050-aaaaaaaaaaaa/chunk-000000', new Uint8Array(5))
  await snapshots.deleteOthers([kept])
  const names = (await objects.list('snapshots/')).map(({ name }) => name)
  assert.equal(names.length, 4)
  assert.ok(names.every((name) => name.startsWith(kept.name)))
  assert.equal((await contents(snapshots, kept)).length, 2_500)
})
