import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { SimulatedDisk, seededRandom } from '../../testing/index.ts'
import { memoryDisk } from '../core/index.ts'
import { systemDisk } from '../core/system/index.ts'
import { openDirectoryStore } from './directory-store.ts'

const bytes = (text: string) => new TextEncoder().encode(text)

test('a directory store gives back, lists and deletes what was put', async () => {
  const store = await openDirectoryStore({ disk: memoryDisk(), directory: 'objects' })
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
})

test('a directory store refuses a name that leaves its directory', async () => {
  const store = await openDirectoryStore({ disk: memoryDisk(), directory: 'objects' })
  for (const name of ['', '..', 'a/../b', '/a', 'a//b', 'a/', 'ab#', 'a b', 'x'.repeat(300)]) {
    await assert.rejects(async () => store.put(name, bytes('x')), { code: 'bad-argument' }, name)
  }
})

test('what put() has resolved survives power loss at any call of the next one, which is then absent or whole', async () => {
  for (let call = 1; call <= 12; call += 1) {
    const disk = new SimulatedDisk({ random: seededRandom(call) })
    const store = await openDirectoryStore({ disk, directory: 'objects' })
    await store.put('a/kept', bytes('kept'))
    disk.failPowerAt(call)
    await store.put('b/next', bytes('next')).catch(() => undefined)
    if (!disk.isOff) disk.losePower()
    disk.restart()
    const after = await openDirectoryStore({ disk, directory: 'objects' })
    assert.deepEqual(await after.get('a/kept'), bytes('kept'), `power lost at call ${call}`)
    const found = await after.stat('b/next')
    if (found !== undefined) assert.deepEqual(await after.get('b/next'), bytes('next'), `power lost at call ${call}`)
    const names = (await after.list('')).map(({ name }) => name)
    assert.ok(
      names.every((name) => name === 'a/kept' || name === 'b/next'),
      names.join(),
    )
  }
})

test('a failed put() leaves what was there, and says why', async () => {
  const disk = new SimulatedDisk()
  const store = await openDirectoryStore({ disk, directory: 'objects' })
  await store.put('a', bytes('before'))
  disk.fail({ call: 'writev', nth: 1, errno: 'ENOSPC' })
  await assert.rejects(store.put('a', bytes('after')), { code: 'disk-full' })
  assert.deepEqual(await store.get('a'), bytes('before'))
  await store.put('a', bytes('after'))
  assert.deepEqual(await store.get('a'), bytes('after'))
})

test('of stores that create an object at once in one directory, one succeeds, and its bytes are there', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'skein-objects-'))
  t.after(() => rm(directory, { recursive: true, force: true }))
  for (const disk of [memoryDisk(), systemDisk(directory)]) {
    const stores = await Promise.all(
      Array.from({ length: 8 }, () => openDirectoryStore({ disk, directory: 'objects' })),
    )
    for (let round = 0; round < 5; round += 1) {
      const name = `chain/${round}`
      const made = await Promise.all(stores.map((store, index) => store.create(name, bytes(`of store ${index}`))))
      assert.equal(made.filter(Boolean).length, 1)
      assert.deepEqual(await stores[0]!.get(name), bytes(`of store ${made.indexOf(true)}`))
      assert.equal(await stores[made.indexOf(true)]!.create(name, bytes(`of store ${made.indexOf(true)}`)), true)
    }
    const found = await stores[0]!.list('')
    assert.deepEqual(
      found.map(({ name }) => name),
      [0, 1, 2, 3, 4].map((round) => `chain/${round}`),
    )
    assert.ok(
      (await disk.list('objects/chain')).every((name) => !name.endsWith('#')),
      'nothing unfinished is left',
    )
  }
})

test('what create() has resolved survives power loss at any call of the next one, which is then absent or whole', async () => {
  for (let call = 1; call <= 14; call += 1) {
    const disk = new SimulatedDisk({ random: seededRandom(call) })
    const store = await openDirectoryStore({ disk, directory: 'objects' })
    assert.equal(await store.create('chain/1', bytes('first')), true)
    disk.failPowerAt(call)
    await store.create('chain/2', bytes('second')).catch(() => undefined)
    if (!disk.isOff) disk.losePower()
    disk.restart()
    const after = await openDirectoryStore({ disk, directory: 'objects' })
    assert.deepEqual(await after.get('chain/1'), bytes('first'), `power lost at call ${call}`)
    const found = await after.stat('chain/2')
    if (found !== undefined) assert.deepEqual(await after.get('chain/2'), bytes('second'), `power lost at call ${call}`)
    assert.equal(await after.create('chain/2', bytes('another')), found === undefined, `power lost at call ${call}`)
  }
})

test('two stores in one directory do not take each other’s unfinished files', async () => {
  const disk = memoryDisk()
  const [one, other] = [
    await openDirectoryStore({ disk, directory: 'objects' }),
    await openDirectoryStore({ disk, directory: 'objects' }),
  ]
  await Promise.all([one.put('same', bytes('of one')), other.put('same', bytes('of the other'))])
  const stored = new TextDecoder().decode(await one.get('same'))
  assert.ok(stored === 'of one' || stored === 'of the other', stored)
})

test('a disk that cannot be read is an error of list(), never an empty store; an empty directory is no object', async (t) => {
  const disk = new SimulatedDisk()
  const store = await openDirectoryStore({ disk, directory: 'objects' })
  await store.put('a/b', bytes('there'))
  for (const nth of [1, 2, 3]) {
    disk.fail({ call: 'list', nth, errno: 'EIO' })
    await assert.rejects(store.list(''), { code: 'io-failed' }, `list call ${nth}`)
  }
  disk.fail({ call: 'stat', nth: 1, errno: 'EIO' })
  await assert.rejects(store.list(''), { code: 'io-failed' })
  assert.equal((await store.list('')).length, 1)
  const directory = await mkdtemp(join(tmpdir(), 'skein-objects-'))
  t.after(() => rm(directory, { recursive: true, force: true }))
  const real = await openDirectoryStore({ disk: systemDisk(directory), directory: 'objects' })
  await real.put('a/b', bytes('there'))
  await real.delete('a/b')
  await real.put('c', bytes('there'))
  assert.deepEqual(await real.list(''), [{ name: 'c', bytes: 5 }])
})
