import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { SimulatedDisk } from '../../testing/index.ts'
import type { Disk } from './disk.ts'
import { memoryDisk } from './memory-disk.ts'
import { systemDisk } from './system/index.ts'

const bytes = (text: string) => Buffer.from(text)

/** Every disk with a directory of its own below its root. */
const DISKS: Readonly<Record<string, (root: string) => Disk>> = {
  'systemDisk()': (root) => systemDisk(root),
  'memoryDisk()': () => memoryDisk(),
  SimulatedDisk: () => new SimulatedDisk(),
}

async function withRoot(test: (root: string) => Promise<void>): Promise<void> {
  const root = mkdtempSync(join(tmpdir(), 'skein-disk-'))
  try {
    await test(root)
  } finally {
    rmSync(root, { recursive: true, force: true })
  }
}

type OnDisk = (test: (disk: Disk) => Promise<void>) => () => Promise<void>

for (const [name, make] of Object.entries(DISKS)) {
  describe(name, () => {
    const onDisk: OnDisk = (test) => () => withRoot((root) => test(make(root)))
    describeFiles(onDisk)
    describeDirectories(onDisk)
  })
}

function describeFiles(onDisk: OnDisk): void {
  it(
    'writes pieces one after the other, reads them back, and tells where a file ends',
    onDisk(async (disk) => {
      await disk.makeDirectory('a/b')
      const file = await disk.open('a/b/file', 'create')
      await file.writev([bytes('hello'), bytes(''), bytes(' world')], 3)
      await file.datasync()
      assert.equal(await file.size(), 14)
      const target = Buffer.alloc(20, 1)
      assert.equal(await file.read(target, 1), 13)
      assert.equal(target.subarray(0, 13).toString(), '\0\0hello world')
      assert.equal(await file.read(target, 14), 0)
      await file.close()
      assert.equal(await disk.size('a/b/file'), 14)
    }),
  )

  it(
    'cuts a file, and what is uncovered later is zeros',
    onDisk(async (disk) => {
      const file = await disk.open('file', 'create')
      await file.writev([Buffer.alloc(200_000, 7)], 0)
      await file.truncate(70_000)
      await file.writev([bytes('x')], 150_000)
      const target = Buffer.alloc(150_001)
      assert.equal(await file.read(target, 0), 150_001)
      assert.ok(target.subarray(0, 70_000).every((byte) => byte === 7))
      assert.ok(target.subarray(70_000, 150_000).every((byte) => byte === 0))
      await file.truncate(10)
      assert.equal(await file.size(), 10)
      await file.close()
    }),
  )
}

function describeDirectories(onDisk: OnDisk): void {
  it(
    'lists, renames over and removes',
    onDisk(async (disk) => {
      await disk.makeDirectory('d/sub')
      for (const file of ['d/2', 'd/1', 'd/sub/3']) await (await disk.open(file, 'create')).close()
      assert.deepEqual(await disk.list('d'), ['1', '2', 'sub'])
      const one = await disk.open('d/1', 'write')
      await one.writev([bytes('one')], 0)
      await one.close()
      await disk.rename('d/1', 'd/2')
      await disk.syncDirectory('d')
      assert.deepEqual([await disk.size('d/1'), await disk.size('d/2')], [undefined, 3])
      await disk.remove('d/2')
      assert.deepEqual(await disk.list('d'), ['sub'])
    }),
  )

  it(
    'gives a file a second name, and leaves what has that name already',
    onDisk(async (disk) => {
      await disk.makeDirectory('d')
      for (const [file, text] of [
        ['d/1', 'one'],
        ['d/2', 'other'],
      ] as const) {
        const made = await disk.open(file, 'create')
        await made.writev([bytes(text)], 0)
        await made.close()
      }
      assert.deepEqual([await disk.link('d/1', 'd/2'), await disk.size('d/2')], [false, 5])
      assert.deepEqual([await disk.link('d/1', 'd/3'), await disk.size('d/3')], [true, 3])
      await disk.remove('d/1')
      assert.deepEqual([await disk.size('d/1'), await disk.size('d/3')], [undefined, 3])
      await assert.rejects(disk.link('d/1', 'd/4'), { code: 'not-found' })
    }),
  )

  it(
    'says what is missing or there already',
    onDisk(async (disk) => {
      await assert.rejects(disk.open('nothing', 'read'), { code: 'not-found' })
      await assert.rejects(disk.list('nowhere'), { code: 'not-found' })
      await assert.rejects(disk.remove('nothing'), { code: 'not-found' })
      await assert.rejects(disk.open('nowhere/file', 'create'), { code: 'not-found' })
      await (await disk.open('file', 'create')).close()
      await assert.rejects(disk.open('file', 'create'), { code: 'io-failed' })
    }),
  )

  it(
    'gives a directory to one holder at a time',
    onDisk(async (disk) => {
      await disk.makeDirectory('d')
      const lock = await disk.lock('d')
      await assert.rejects(disk.lock('d'), { code: 'locked' })
      await lock.release()
      await lock.release()
      await (await disk.lock('d')).release()
    }),
  )
}

describe('systemDisk().lock()', () => {
  it('says who holds the directory, and is free again when that process was killed', () =>
    withRoot(async (root) => {
      const holder = spawn(process.execPath, ['--input-type=module', '-e', holderSource(root)], {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      try {
        await new Promise<void>((resolve, reject) => {
          holder.stdout.once('data', () => resolve())
          holder.once('exit', () => reject(new Error('the holder ended early')))
        })
        await assert.rejects(systemDisk().lock(root), new RegExp(`in use by process ${holder.pid} `))
      } finally {
        holder.kill('SIGKILL')
      }
      await new Promise<void>((resolve) => holder.once('exit', () => resolve()))
      await (await systemDisk().lock(root)).release()
    }))
})

function holderSource(root: string): string {
  const door = new URL('./system/index.ts', import.meta.url).href
  return `import { systemDisk } from ${JSON.stringify(door)}
await systemDisk().lock(${JSON.stringify(root)})
console.log('held')
setInterval(() => {}, 1000)`
}
