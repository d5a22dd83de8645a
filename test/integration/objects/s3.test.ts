import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openS3Store } from '../../../src/objects/index.ts'
import { seededRandom } from '../../../testing/index.ts'
import { requireService } from '../../services/require-service.ts'
import { until } from '../../until.ts'
import { contents, RaftGroup } from '../consensus/raft-group.ts'
import { makeBucket } from './s3-bucket.ts'

const s3 = await requireService('s3')
const bytes = (text: string) => new TextEncoder().encode(text)

test('An S3 store gives back, lists and deletes what was put', { skip: s3.skip }, async (t) => {
  const service = await s3.start()
  t.after(() => service.stop())
  const options = await makeBucket(service.url, 'objects')
  const store = await openS3Store({ ...options, prefix: 'north/' })
  t.after(() => store.close())
  await store.put('claims/swarm.video/b', bytes('two'))
  await store.put('claims/swarm.video/a', bytes('one'))
  await store.put('views/fleet/1', bytes('three'))
  assert.deepEqual(await store.get('claims/swarm.video/a'), bytes('one'))
  assert.deepEqual(await store.stat('views/fleet/1'), { name: 'views/fleet/1', bytes: 5 })
  assert.deepEqual(
    (await store.list('claims/')).map(({ name }) => name),
    ['claims/swarm.video/a', 'claims/swarm.video/b'],
  )
  assert.equal((await store.list('')).length, 3)
  await store.put('claims/swarm.video/a', bytes('another'))
  assert.deepEqual(await store.get('claims/swarm.video/a'), bytes('another'))
  await store.delete('claims/swarm.video/a')
  await store.delete('claims/swarm.video/a')
  assert.equal(await store.stat('claims/swarm.video/a'), undefined)
  await assert.rejects(store.get('claims/swarm.video/a'), { code: 'not-found' })
  assert.deepEqual(await store.list('nothing/'), [])
  for (const name of ['', '..', 'a/../b', '/a', 'a//b', 'a/', 'ab#', 'a b']) {
    await assert.rejects(store.put(name, bytes('x')), { code: 'bad-argument' }, name)
  }
  const large = seededRandom(4).bytes(9_000_000)
  await store.put('large', large)
  assert.ok(Buffer.from(await store.get('large')).equals(large))
  // What another prefix has is not seen.
  const other = await openS3Store({ ...options, prefix: 'south/' })
  t.after(() => other.close())
  assert.deepEqual(await other.list(''), [])
})

test('Of several who create an object at once in S3, one succeeds, and a repeat of the same bytes is known again', {
  skip: s3.skip,
}, async (t) => {
  const service = await s3.start()
  t.after(() => service.stop())
  const options = await makeBucket(service.url, 'created')
  const stores = await Promise.all(Array.from({ length: 6 }, () => openS3Store(options)))
  t.after(() => stores.map((store) => store.close()))
  for (let round = 0; round < 5; round += 1) {
    const name = `chain/${round}`
    assert.equal(await stores[0]!.create(name, bytes('of store 0')), true)
    assert.equal(await stores[0]!.create(name, bytes('of store 0')), true)
    assert.equal(await stores[1]!.create(name, bytes('of store 1')), false)
    const raced = `raced/${round}`
    const made = await Promise.all(stores.map((store, index) => store.create(raced, bytes(`of store ${index}`))))
    assert.equal(made.filter(Boolean).length, 1)
    assert.deepEqual(await stores[0]!.get(raced), bytes(`of store ${made.indexOf(true)}`))
  }
})

test('A bucket that is not there, a wrong key, and a server that is gone each have their own error', {
  skip: s3.skip,
}, async (t) => {
  const service = await s3.start({ mortal: true })
  t.after(() => service.stop())
  const options = await makeBucket(service.url, 'objects')
  await assert.rejects(openS3Store({ ...options, bucket: 'nowhere' }), { code: 'not-found' })
  const credentials = { accessKeyId: 'nobody', secretAccessKey: 'nothing' }
  await assert.rejects(openS3Store({ ...options, credentials }), { code: 'unauthorised' })
  const store = await openS3Store(options)
  t.after(() => store.close())
  await store.put('kept', bytes('kept'))
  await service.nodes[0]!.kill()
  await assert.rejects(store.get('kept'), { code: 'connection-lost', retryable: true })
  await service.nodes[0]!.start()
  assert.deepEqual(await store.get('kept'), bytes('kept'))
})

test('Members that keep their snapshots in one bucket send them to each other, and do not touch each other’s', {
  skip: s3.skip,
}, async (t) => {
  const service = await s3.start()
  t.after(() => service.stop())
  const options = await makeBucket(service.url, 'snapshots')
  const objects = await openS3Store(options)
  t.after(() => objects.close())
  const group = await RaftGroup.make(t, 3, { objects })
  await group.start(1)
  await group.start(2)
  const leader = await group.leader()
  await leader.append([Buffer.from('a')])
  const state = Buffer.from(seededRandom(9).bytes(2_500_000))
  const index = leader.status().committedIndex
  const snapshot = await leader.snapshots.write({ index, timeMs: 1 }, state)
  await leader.compact(index, snapshot)
  await leader.append([Buffer.from('b')])
  const late = await group.start(3)
  await until(() => late.barrier().then(Boolean, () => false))
  assert.deepEqual(await contents(late), [`snapshot ${index}`, 'b'])
  const own = late.status().snapshot!
  assert.ok(own.name.startsWith('raft/3/') && snapshot.name.startsWith(`raft/${leader.status().id}/`))
  for (const ref of [own, snapshot]) {
    assert.ok(Buffer.concat(await Array.fromAsync(leader.snapshots.read(ref))).equals(state))
  }
})
