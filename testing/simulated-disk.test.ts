import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { seededRandom } from './seeded-random.ts'
import { SimulatedDisk } from './simulated-disk.ts'

const bytes = (text: string) => Buffer.from(text)

async function contentOf(disk: SimulatedDisk, path: string): Promise<string | undefined> {
  return disk.image().get(path)?.toString()
}

describe('SimulatedDisk', () => {
  it('keeps what was synced through a power loss', async () => {
    for (let seed = 0; seed < 50; seed += 1) {
      const disk = new SimulatedDisk({ random: seededRandom(seed) })
      const file = await disk.open('a', 'create')
      await file.writev([bytes('hel'), bytes('lo')], 0)
      await file.datasync()
      await disk.syncDirectory('.')
      disk.losePower()
      disk.restart()
      assert.equal(await contentOf(disk, 'a'), 'hello')
    }
  })

  it('may lose, keep or tear what was not synced, and entries of directories', async () => {
    const seen = new Set<string>()
    for (let seed = 0; seed < 200; seed += 1) {
      const disk = new SimulatedDisk({ random: seededRandom(seed) })
      const file = await disk.open('a', 'create')
      await file.writev([Buffer.alloc(3 * 4096, 1)], 0)
      disk.losePower()
      const content = disk.image().get('a')
      if (content === undefined) seen.add('no entry')
      else if (content.byteLength < 3 * 4096) seen.add('short')
      else if (content.every((byte) => byte === 1)) seen.add('kept')
      else if (content[0] === 0 && content.at(-1) === 1) seen.add('out of order')
    }
    assert.deepEqual([...seen].sort(), ['kept', 'no entry', 'out of order', 'short'])
  })

  it('renames as one step: a power loss leaves the old or the new', async () => {
    for (let seed = 0; seed < 50; seed += 1) {
      const disk = new SimulatedDisk({ random: seededRandom(seed), image: new Map([['old', bytes('x')]]) })
      await disk.rename('old', 'new')
      disk.losePower()
      assert.equal([...disk.image().keys()].filter((path) => path === 'old' || path === 'new').length, 1)
    }
  })

  it('forgets pages after a failed sync, as systems do, unless they are written again', async () => {
    for (const isWrittenAgain of [true, false]) {
      const disk = new SimulatedDisk({ image: new Map([['a', bytes('old')]]) })
      const file = await disk.open('a', 'write')
      await file.writev([bytes('new')], 0)
      disk.fail({ call: 'fdatasync', nth: 1, errno: 'EIO' })
      await assert.rejects(file.datasync(), { code: 'io-failed' })
      if (isWrittenAgain) await file.writev([bytes('new')], 0)
      await file.datasync()
      disk.losePower()
      assert.equal(await contentOf(disk, 'a'), isWrittenAgain ? 'new' : 'old')
    }
  })

  it('fails the nth call of a kind, once or for good', async () => {
    const disk = new SimulatedDisk({ image: new Map([['a', bytes('x')]]) })
    disk.fail({ call: 'stat', nth: 2, errno: 'EMFILE' })
    disk.fail({ call: 'list', nth: 1, errno: 'EIO', forGood: true })
    assert.equal(await disk.size('a'), 1)
    await assert.rejects(disk.size('a'), { code: 'io-failed' })
    assert.equal(await disk.size('a'), 1)
    await assert.rejects(disk.list('.'))
    await assert.rejects(disk.list('.'))
    disk.heal()
    assert.deepEqual(await disk.list('.'), ['a'])
    assert.equal(disk.calls.get('stat'), 3)
  })

  it('is full at its capacity and has room again when that rises', async () => {
    const disk = new SimulatedDisk({ capacityBytes: 10 })
    const file = await disk.open('a', 'create')
    await assert.rejects(file.writev([Buffer.alloc(11)], 0), { code: 'disk-full' })
    await file.truncate(0)
    disk.capacityBytes = 20
    await file.writev([Buffer.alloc(11)], 0)
    assert.equal(await file.size(), 11)
  })

  it('loses power in the middle of a call, and closes what was open', async () => {
    const disk = new SimulatedDisk()
    const file = await disk.open('a', 'create')
    disk.failPowerAt(2)
    await file.size()
    await assert.rejects(file.writev([bytes('x')], 0))
    await assert.rejects(disk.list('.'))
    disk.restart()
    await disk.list('.')
    await assert.rejects(file.size())
  })
})
