import assert from 'node:assert/strict'
import { mkdtemp, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { SkeinError } from '../errors.ts'
import { systemDisk } from './disk.ts'

test('makeDirectory() makes what is missing above, takes what is there, and refuses a file', async (t) => {
  const root = await mkdtemp(join(tmpdir(), 'skein-disk-'))
  t.after(() => rm(root, { recursive: true, force: true }))
  const disk = systemDisk(root)
  await Promise.all([disk.makeDirectory('a/b/c'), disk.makeDirectory('a/b/d')])
  await disk.makeDirectory('a/b/c')
  assert.ok((await stat(join(root, 'a/b/d'))).isDirectory())
  await symlink(join(root, 'a'), join(root, 'link'))
  await disk.makeDirectory('link')
  await writeFile(join(root, 'file'), '')
  await assert.rejects(disk.makeDirectory('file'), (error) => error instanceof SkeinError && error.code === 'io-failed')
})

const hasProc = process.platform === 'linux' ? false : 'only Linux has a file system that refuses so'

test('makeDirectory() ends where the system refuses as if something were missing', { skip: hasProc }, async () => {
  await assert.rejects(systemDisk().makeDirectory('/proc/no-such-thing'), (error) => error instanceof SkeinError)
  await assert.rejects(systemDisk().makeDirectory('/proc/no/such/thing'), (error) => error instanceof SkeinError)
})
