import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { SimulatedClock, SimulatedDisk, seededRandom } from '../../testing/index.ts'
import type { Disk } from '../core/index.ts'
import { memoryDisk } from '../core/index.ts'
import type { Log } from './log.ts'
import { openLog } from './open-log.ts'
import { RecordBatchBuilder } from './record-batch-builder.ts'
import { recordCursor } from './record-cursor.ts'

const STAMP = { producerId: 1, sequence: -1, epoch: 0 }
const DAY_MS = 86_400_000

function open(disk: Disk, clock = new SimulatedClock(), segmentBytes = 2_000): Promise<Log> {
  return openLog({ disk, clock, directory: 'log', segmentBytes })
}

async function append(
  log: Log,
  entries: ReadonlyArray<readonly [string | undefined, string | null]>,
  marks = 0,
): Promise<void> {
  const builder = new RecordBatchBuilder()
  for (const [key, value] of entries) builder.add({ subject: `s.${key}`, key, value, timestampMs: 1 })
  await log.append(builder.finish(), { ...STAMP, marks }, 'durable')
}

interface Found {
  readonly offset: number
  readonly key: string | undefined
  readonly value: string | null
}

async function readAll(log: Log): Promise<Found[]> {
  const all: Found[] = []
  for (let from = log.startOffset; from < log.endOffset; ) {
    const batches = await log.read(from, 1_000)
    if (batches.length === 0) break
    for (const batch of batches) {
      const cursor = recordCursor(batch.body, batch.baseOffset, batch.firstTimestampMs)
      let count = 0
      while (cursor.next()) {
        count += 1
        assert.equal(cursor.subject, `s.${cursor.key}`)
        all.push({ offset: cursor.offset, key: cursor.key, value: cursor.isTombstone ? null : cursor.valueText() })
      }
      assert.equal(count, batch.count)
    }
    from = batches.at(-1)!.lastOffset + 1
  }
  return all
}

/** Three records a batch, keys coming again; returns what must remain. */
async function fill(log: Log, batches: number): Promise<Map<string, Found>> {
  const newest = new Map<string, Found>()
  let offset = log.endOffset
  for (let batch = 0; batch < batches; batch += 1) {
    const entries = [0, 1, 2].map((index) => [`key-${(batch * 3 + index) % 10}`, `value ${batch} ${index}`] as const)
    await append(log, entries)
    for (const [key, value] of entries) {
      newest.set(key, { offset, key, value })
      offset += 1
    }
  }
  return newest
}

describe('Log.compact()', () => {
  it('keeps the newest record of each key at its offset, and records without a key', async () => {
    const disk = memoryDisk()
    const log = await open(disk)
    await append(log, [[undefined, 'no key']])
    const newest = await fill(log, 100)
    const sizeBefore = log.status().sizeBytes
    await log.compact({ tombstoneMs: DAY_MS, nowMs: 0, closeActive: true })
    const wanted = [{ offset: 0, key: undefined, value: 'no key' }, ...newest.values()].sort(
      (a, b) => a.offset - b.offset,
    )
    assert.deepEqual(await readAll(log), wanted)
    assert.ok(log.status().sizeBytes < sizeBefore / 5)
    assert.ok(log.status().segments <= 3, 'segments that became small are merged')
    assert.equal(log.endOffset, 301)
    await log.close()
    const again = await open(disk)
    assert.deepEqual(await readAll(again), wanted)
    await again.close()
  })

  it('keeps a tombstone for its time, then drops it with all that it deleted', async () => {
    const clock = new SimulatedClock()
    const log = await open(memoryDisk(), clock)
    await append(log, [
      ['a', 'one'],
      ['b', 'two'],
    ])
    await append(log, [['a', null]])
    await log.compact({ tombstoneMs: DAY_MS, nowMs: clock.nowMs(), closeActive: true })
    assert.deepEqual(
      (await readAll(log)).map(({ offset, value }) => [offset, value]),
      [
        [1, 'two'],
        [2, null],
      ],
    )
    await clock.advance(DAY_MS)
    await log.compact({ tombstoneMs: DAY_MS, nowMs: clock.nowMs() })
    assert.deepEqual(
      (await readAll(log)).map(({ offset }) => offset),
      [1],
    )
    await log.close()
  })

  it('keeps marked batches whole for their time, and tombstones as long, then goes over them though nothing else changed', async () => {
    const clock = new SimulatedClock()
    const log = await open(memoryDisk(), clock)
    await append(log, [['a', 'unmarked']])
    await append(log, [['a', 'marked']], 2)
    await append(log, [['a', 'other mark']], 4)
    await append(log, [['b', 'kept']])
    await clock.advance(1_000)
    await append(log, [['a', 'marked later']], 2 | 4)
    await append(log, [['a', null]])
    const compact = () =>
      log.compact({ tombstoneMs: 10, keepMarked: { marks: 2, ms: DAY_MS }, nowMs: clock.nowMs(), closeActive: true })
    const values = async () => (await readAll(log)).map(({ value }) => value)
    await compact()
    assert.deepEqual(await values(), ['marked', 'kept', 'marked later', null])
    await clock.advance(DAY_MS - 1_001)
    await compact()
    assert.deepEqual(await values(), ['marked', 'kept', 'marked later', null])
    await clock.advance(1)
    await compact()
    assert.deepEqual(await values(), ['kept', 'marked later', null])
    await clock.advance(1_000)
    await compact()
    assert.deepEqual(await values(), ['kept'])
    await log.close()
  })

  it('goes on compacting as more comes', async () => {
    const log = await open(memoryDisk())
    for (let round = 0; round < 5; round += 1) {
      const newest = await fill(log, 40)
      await log.compact({ tombstoneMs: DAY_MS, nowMs: 0, closeActive: true })
      assert.deepEqual(
        await readAll(log),
        [...newest.values()].sort((a, b) => a.offset - b.offset),
      )
      assert.ok(log.status().segments <= 3)
    }
    await log.close()
  })

  it('stops when the log is closed, and nothing is lost by that', async () => {
    const disk = memoryDisk()
    const log = await open(disk)
    const newest = await fill(log, 200)
    const compacting = log.compact({ tombstoneMs: DAY_MS, nowMs: 0 })
    const closing = log.close()
    await assert.rejects(compacting, { code: 'closed' })
    await closing
    const again = await open(disk)
    const last = new Map((await readAll(again)).map((one) => [one.key, one]))
    for (const [key, wanted] of newest) assert.deepEqual(last.get(key), wanted)
    await again.compact({ tombstoneMs: DAY_MS, nowMs: 0, closeActive: true })
    assert.equal((await readAll(again)).length, newest.size)
    await again.close()
  })

  it('loses no newest record when the power fails anywhere in it', async () => {
    const counting = new SimulatedDisk()
    const run = async (disk: SimulatedDisk, powerFailsAt?: number) => {
      const clock = new SimulatedClock()
      const log = await open(disk, clock)
      await append(log, [
        ['gone', 'deleted later'],
        ['gone', null],
      ])
      const newest = await fill(log, 30)
      const before = disk.totalCalls
      if (powerFailsAt !== undefined) disk.failPowerAt(powerFailsAt)
      const compacting = log.compact({ tombstoneMs: 0, nowMs: clock.nowMs() + 1, closeActive: true })
      await compacting.catch(() => undefined)
      const calls = disk.totalCalls - before
      await log.close().catch(() => undefined)
      return { newest, calls }
    }
    const { calls } = await run(counting)
    assert.ok(calls > 20)
    for (let at = 1; at <= calls; at += 1) {
      const disk = new SimulatedDisk({ random: seededRandom(at) })
      const { newest } = await run(disk, at)
      disk.restart()
      const again = await open(disk)
      const found = await readAll(again)
      const last = new Map(found.map((one) => [one.key, one]))
      for (const [key, wanted] of newest) assert.deepEqual(last.get(key), wanted, `power failed at call ${at}`)
      assert.ok((last.get('gone')?.value ?? null) === null, `a deleted record came back, power failed at call ${at}`)
      assert.equal(again.endOffset, 92)
      assert.deepEqual(again.status().quarantined, [])
      await again.close()
    }
  })

  it('keeps a tombstone while what it deletes may be in a damaged segment, where it cannot be taken out', async () => {
    for (const isDamaged of [false, true]) {
      const disk = new SimulatedDisk({ random: seededRandom(3) })
      const clock = new SimulatedClock()
      const log = await open(disk, clock, 600)
      const fillUp = async (from: number) => {
        for (let index = from; index < from + 10; index += 1) await append(log, [[`filler-${index}`, 'x'.repeat(150)]])
      }
      await append(log, [['gone', 'value']])
      await fillUp(0)
      const place = log.endOffset
      await append(log, [['gone', null]])
      await fillUp(10)
      const [first] = (await disk.list('log')).filter((name) => name.endsWith('.segment')).sort()
      if (isDamaged) {
        disk.damage(`log/${first}`, (file) =>
          file.write(Buffer.from([file.bytes()[file.size - 20]! ^ 0x10]), file.size - 20),
        )
      }
      await log.compact({ tombstoneMs: DAY_MS, nowMs: clock.nowMs() + 2 * DAY_MS })
      const [batch] = await log.read(place, 1)
      assert.equal(batch?.baseOffset === place, isDamaged)
      await log.close()
    }
  })
})
