import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { openByteSource, readTextFile } from './files.ts'

test('openByteSource() gives the whole file and its size', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'skein-files-'))
  t.after(() => rm(directory, { recursive: true }))
  const path = join(directory, 'a.bin')
  const bytes = Buffer.alloc(700_000, 7)
  await writeFile(path, bytes)
  const source = await openByteSource(path)
  const pieces: Uint8Array[] = []
  for await (const chunk of source.chunks) pieces.push(Buffer.from(chunk))
  assert.equal(source.sizeBytes, 700_000)
  assert.ok(Buffer.concat(pieces).equals(bytes))
})

test('A file that is not there is not-found, a directory io-failed, and both are named', async () => {
  await assert.rejects(readTextFile('/nowhere/at-all'), { code: 'not-found', message: /\/nowhere\/at-all/ })
  await assert.rejects(openByteSource('/nowhere/at-all'), { code: 'not-found' })
  const isDirectory = { code: 'io-failed', message: /^Cannot read \/: it is a directory/ }
  await assert.rejects(readTextFile('/'), isDirectory)
  await assert.rejects(openByteSource('/'), isDirectory)
})
