import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SimulatedDisk, seededRandom } from '../../testing/index.ts'
import { memoryDisk } from '../core/index.ts'
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
