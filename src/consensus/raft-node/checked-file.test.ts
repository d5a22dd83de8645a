import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SimulatedDisk, seededRandom } from '../../../testing/index.ts'
import { readCheckedFile, writeCheckedFile } from './checked-file.ts'

test('What was written is there after power loss at any call of the next write, which is then whole or not there', async () => {
  for (let seed = 1; seed <= 5; seed += 1) {
    for (let call = 1, isOver = false; !isOver; call += 1) {
      const disk = new SimulatedDisk({ random: seededRandom(seed * 100 + call) })
      await disk.makeDirectory('a')
      await disk.syncDirectory('.')
      await writeCheckedFile(disk, 'a/file', { version: 'first' })
      disk.failPowerAt(call)
      const isWritten = await writeCheckedFile(disk, 'a/file', { version: 'second' }).then(
        () => true,
        () => false,
      )
      isOver = isWritten && !disk.isOff
      if (!disk.isOff) disk.losePower()
      disk.restart()
      const found = await readCheckedFile<{ readonly version: string }>(disk, 'a/file')
      const may = isWritten ? ['second'] : ['first', 'second']
      assert.ok(may.includes(found?.version ?? 'nothing'), `seed ${seed}, power lost at call ${call}`)
    }
  }
})

test('A file that fails its checksum is corrupt, one of a later version is future-version, none is undefined', async () => {
  const disk = new SimulatedDisk()
  await writeCheckedFile(disk, 'file', { some: 'content' })
  const image = Buffer.from(disk.image().get('file')!).toString()
  for (const [text, code] of [
    [image.replace('some', 'sane'), 'corrupt'],
    [image.slice(0, -1), 'corrupt'],
    ['', 'corrupt'],
    [image.replace('skein 1', 'skein 2'), 'future-version'],
  ] as const) {
    const changed = new SimulatedDisk({ image: new Map([['file', Buffer.from(text)]]) })
    await assert.rejects(readCheckedFile(changed, 'file'), { code })
  }
  assert.equal(await readCheckedFile(disk, 'another'), undefined)
})
