import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Disk, memoryDisk, SkeinError } from '../../../core/index.ts'
import { systemClock, systemRandom } from '../../../core/system/index.ts'
import { openEmbeddedBus } from './index.ts'

function openOn(disk: Disk) {
  return openEmbeddedBus({ disk, clock: systemClock, random: systemRandom, directory: 'data' })
}

async function overwriteFormat(disk: Disk, text: string): Promise<void> {
  const file = await disk.open('data/format.json', 'write')
  await file.truncate(0)
  await file.writev([Buffer.from(text)], 0)
  await file.close()
}

test('a data directory in use is refused with locked, and free again after a close', async () => {
  const disk = memoryDisk()
  const bus = await openOn(disk)
  await assert.rejects(openOn(disk), { code: 'locked' })
  await bus.close()
  await (await openOn(disk)).close()
})

test('a data directory of a later version is refused with future-version, and stays free', async () => {
  const disk = memoryDisk()
  await (await openOn(disk)).close()
  await overwriteFormat(disk, JSON.stringify({ format: 'skein-data', version: 2 }))
  for (let tries = 0; tries < 2; tries += 1) {
    await assert.rejects(openOn(disk), (error) => {
      assert.ok(error instanceof SkeinError)
      assert.equal(error.code, 'future-version')
      assert.deepEqual(error.details, { directory: 'data', version: 2, supported: 1 })
      return true
    })
  }
})

test('a damaged format file is refused with corrupt', async () => {
  const disk = memoryDisk()
  await (await openOn(disk)).close()
  await overwriteFormat(disk, '{"format":')
  await assert.rejects(openOn(disk), { code: 'corrupt' })
})
