import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SimulatedClock, SimulatedDisk, seededRandom } from '../../../testing/index.ts'
import { configuration, type Entry } from '../../raft/index.ts'
import type { SnapshotRecord } from './snapshot-record.ts'
import { Wal, type WalContents } from './wal.ts'

const DIRECTORY = 'wal'

function entries(first: number, last: number, term: number, size = 20): Entry[] {
  return Array.from({ length: last - first + 1 }, (_, at) => {
    return { index: first + at, term, kind: 'command', data: Buffer.alloc(size, `${first + at}.${term} `) }
  })
}

function record(index: number, term: number): SnapshotRecord {
  return {
    metadata: { index, term, configuration: configuration({ voters: [1, 2, 3] }) },
    snapshot: { index, timeMs: 3, name: `s/${index}`, bytes: 1, checksum: 'c' },
    members: { addresses: [[1, 'a:1']], spent: [1, 2, 3] },
  }
}

function open(disk: SimulatedDisk): Promise<{ readonly wal: Wal; readonly contents: WalContents }> {
  return Wal.open({ disk, clock: new SimulatedClock(), directory: DIRECTORY, segmentBytes: 2_000 })
}

function told({ entries: found }: WalContents): string[] {
  return found.map(({ index, term }) => `${index}.${term}`)
}

test('What was appended is read back with its superseded parts left out', async () => {
  const disk = new SimulatedDisk()
  const { wal } = await open(disk)
  await wal.append({ commit: 0, entries: entries(1, 5, 1) })
  await wal.append({ commit: 2, entries: entries(4, 6, 2) })
  await wal.append({ commit: 5, entries: entries(7, 7, 2) })
  await wal.append({ commit: 6, entries: [] })
  await wal.drain()
  const { contents } = await open(disk)
  assert.deepEqual(told(contents), ['1.1', '2.1', '3.1', '4.2', '5.2', '6.2', '7.2'])
  assert.equal(contents.commit, 6)
  assert.ok(
    contents.entries.every(({ index, term, data }) => Buffer.from(data).toString().startsWith(`${index}.${term} `)),
  )
})

test('A snapshot from a leader takes the place of the log; entries follow behind it', async () => {
  const disk = new SimulatedDisk()
  const { wal } = await open(disk)
  await wal.append({ commit: 1, entries: entries(1, 50, 1) })
  await wal.append({ commit: 80, entries: entries(81, 82, 3), snapshot: record(80, 3), replacesLog: true })
  await wal.release(80)
  await wal.drain()
  const { contents } = await open(disk)
  assert.deepEqual(told(contents), ['81.3', '82.3'])
  assert.deepEqual(contents.snapshot, record(80, 3))
})

test('Released frames go from the disk, and what is kept behind the snapshot stays whole', async () => {
  const disk = new SimulatedDisk()
  let { wal } = await open(disk)
  for (let index = 1; index <= 200; index += 1)
    await wal.append({ commit: index - 1, entries: entries(index, index, 1, 100) })
  const before = wal.sizeBytes
  await wal.append({ commit: 190, entries: [], snapshot: record(190, 1) })
  await wal.release(180)
  assert.ok(wal.sizeBytes < before / 3, `${wal.sizeBytes} of ${before} bytes`)
  await wal.append({ commit: 199, entries: entries(198, 201, 2) })
  await wal.drain()
  for (const first of [181, 191]) {
    const opened = await open(disk)
    wal = opened.wal
    const kept = told(opened.contents)
    assert.equal(kept.at(-1), '201.2')
    assert.ok(kept.includes(`${first}.1`) && kept.includes('197.1') && !kept.includes('199.1'))
    assert.equal(opened.contents.snapshot?.metadata.index, 190)
    await wal.release(190)
    await wal.drain()
  }
})

test('The newest snapshot stays, even if all entries before it and those behind it lie in other segments', async () => {
  const disk = new SimulatedDisk()
  const { wal } = await open(disk)
  for (let index = 1; index <= 60; index += 1)
    await wal.append({ commit: index - 1, entries: entries(index, index, 1, 100) })
  await wal.append({ commit: 60, entries: [], snapshot: record(60, 1) })
  for (let index = 61; index <= 120; index += 1)
    await wal.append({ commit: index - 1, entries: entries(index, index, 1, 100) })
  await wal.release(60)
  await wal.drain()
  const { contents } = await open(disk)
  assert.equal(contents.snapshot?.metadata.index, 60)
  assert.ok(told(contents).includes('61.1'))
})

test('After power loss at any moment every frame that was acknowledged is there, and none in part', async () => {
  for (let seed = 1; seed <= 60; seed += 1) {
    const random = seededRandom(seed)
    const disk = new SimulatedDisk({ random })
    const { wal } = await open(disk)
    disk.failPowerAt(1 + Math.floor(random.float() * 60))
    let acknowledged = 0
    try {
      for (let first = 1; first < 120; first += 3) {
        await wal.append({ commit: first - 1, entries: entries(first, first + 2, 1, 60) })
        acknowledged = first + 2
        if (first === 61) {
          await wal.append({ commit: 60, entries: [], snapshot: record(60, 1) })
          await wal.release(55)
        }
      }
    } catch {
      // The power is gone.
    }
    if (!disk.isOff) disk.losePower()
    disk.restart()
    const { contents } = await open(disk)
    const last = contents.entries.at(-1)?.index ?? 0
    assert.ok(last >= acknowledged, `seed ${seed}: ${acknowledged} were acknowledged, ${last} are there`)
    assert.ok(last === 0 || last % 3 === 0, `seed ${seed}: a frame is there in part`)
    if (contents.entries.length > 0) assert.ok(contents.entries[0]!.index <= 56, `seed ${seed}`)
  }
})
