import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SimulatedClock } from '../../testing/index.ts'
import { type Disk, type DiskFile, memoryDisk, SkeinError } from '../core/index.ts'
import { DiskHealth } from './disk-health.ts'

/** A disk in memory whose files fail as told. */
function moodyDisk() {
  const mood: { full: boolean; syncs: boolean } = { full: false, syncs: true }
  const inner = memoryDisk()
  const open = async (path: string, mode: 'read' | 'write' | 'create'): Promise<DiskFile> => {
    const file = await inner.open(path, mode)
    return {
      read: (target, position) => file.read(target, position),
      truncate: (length) => file.truncate(length),
      size: () => file.size(),
      close: () => file.close(),
      async writev(buffers, position) {
        if (mood.full) throw new SkeinError('disk-full', 'Cannot write: the disk is full')
        await file.writev(buffers, position)
      },
      async datasync() {
        if (!mood.syncs) throw new SkeinError('io-failed', 'Cannot sync')
        await file.datasync()
      },
    }
  }
  const disk: Disk = {
    kind: 'real',
    open,
    list: (directory) => inner.list(directory),
    makeDirectory: (directory) => inner.makeDirectory(directory),
    syncDirectory: (directory) => inner.syncDirectory(directory),
    rename: (from, to) => inner.rename(from, to),
    link: (from, to) => inner.link(from, to),
    remove: (path) => inner.remove(path),
    size: (path) => inner.size(path),
    lock: (directory) => inner.lock(directory),
  }
  return { mood, disk }
}

async function watched() {
  const { mood, disk } = moodyDisk()
  const clock = new SimulatedClock()
  await disk.makeDirectory('data')
  const health = new DiskHealth(disk, { clock, directory: 'data' })
  const file = await health.disk.open('data/log', 'create')
  return { mood, disk, clock, health, file }
}

test('A full disk is seen, the error passes on unchanged, and room is found again without anybody writing', async () => {
  const { mood, disk, clock, health, file } = await watched()
  mood.full = true
  await assert.rejects(file.writev([Buffer.from('x')], 0), { code: 'disk-full' })
  assert.equal(health.full, true)
  await clock.advance(3_000)
  assert.equal(health.full, true)
  mood.full = false
  await clock.advance(3_000)
  assert.equal(health.full, false)
  assert.deepEqual(await disk.list('data'), ['log'])
  health.close()
})

test('A failed sync is remembered, whatever comes after', async () => {
  const { mood, health, file } = await watched()
  mood.syncs = false
  await assert.rejects(file.datasync(), { code: 'io-failed' })
  mood.syncs = true
  await file.datasync()
  assert.equal(health.syncFailed, true)
})

test('Other failures of the disk say nothing about its health', async () => {
  const { health } = await watched()
  await assert.rejects(health.disk.open('data/nothing', 'read'), { code: 'not-found' })
  assert.equal(health.full, false)
  assert.equal(health.syncFailed, false)
})

test('Whoever runs the node is told once when its disk is full, and when it has room', async () => {
  const { mood, disk } = moodyDisk()
  const clock = new SimulatedClock()
  const told: string[] = []
  await disk.makeDirectory('data')
  const health = new DiskHealth(disk, { clock, directory: 'data', onChange: (state) => told.push(state) })
  const file = await health.disk.open('data/log', 'create')
  mood.full = true
  for (let n = 0; n < 3; n += 1) await assert.rejects(file.writev([Buffer.from('x')], 0))
  await clock.advance(3_000)
  mood.full = false
  await clock.advance(3_000)
  assert.deepEqual(told, ['full', 'room'])
  health.close()
})
