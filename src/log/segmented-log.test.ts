import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { SimulatedClock, SimulatedDisk } from '../../testing/index.ts'
import { type Disk, memoryDisk } from '../core/index.ts'
import type { Log } from './log.ts'
import { type LogOptions, openLog } from './open-log.ts'
import type { EncodedRecords } from './record.ts'
import { RecordBatchBuilder } from './record-batch-builder.ts'
import { recordCursor } from './record-cursor.ts'

const STAMP = { producerId: 7, sequence: -1, epoch: 3, marks: 0 }
const DIRECTORY = 'data/topic-0'

function records(values: readonly string[]): EncodedRecords {
  const builder = new RecordBatchBuilder()
  for (const value of values) builder.add({ subject: 'a.b', key: 'k', value, timestampMs: 5 })
  return builder.finish()
}

function open(disk: Disk, options: Partial<LogOptions> = {}): Promise<Log> {
  return openLog({ disk, clock: new SimulatedClock(), directory: DIRECTORY, ...options })
}

async function valuesFrom(log: Log, fromOffset: number, maxBytes = 1_000): Promise<Array<[number, string]>> {
  const values: Array<[number, string]> = []
  for (let from = fromOffset; from < log.endOffset; ) {
    const batches = await log.read(from, maxBytes)
    if (batches.length === 0) break
    for (const batch of batches) {
      const cursor = recordCursor(batch.body, batch.baseOffset, batch.firstTimestampMs)
      while (cursor.next()) if (cursor.offset >= from) values.push([cursor.offset, cursor.valueText()])
      from = batch.lastOffset + 1
    }
  }
  return values
}

function numbered(count: number, start = 0): Array<[number, string]> {
  return Array.from({ length: count }, (_, index) => [start + index, `value ${start + index}`])
}

async function appendNumbered(log: Log, count: number, start = 0): Promise<void> {
  for (let index = start; index < start + count; index += 1)
    await log.append(records([`value ${index}`]), STAMP, 'durable')
}

describe('openLog()', () => {
  it('gives back what was appended, in order, also after it was closed and opened again', async () => {
    const disk = memoryDisk()
    const log = await open(disk)
    const first = await log.append(records(['value 0', 'value 1']), STAMP, 'durable')
    assert.deepEqual([first.baseOffset, first.lastOffset], [0, 1])
    await appendNumbered(log, 8, 2)
    assert.deepEqual(await valuesFrom(log, 0), numbered(10))
    assert.deepEqual(await valuesFrom(log, 7), numbered(3, 7))
    await log.drain()
    const again = await open(disk)
    assert.equal(again.endOffset, 10)
    assert.deepEqual(await valuesFrom(again, 0), numbered(10))
    await appendNumbered(again, 1, 10)
    assert.deepEqual(await valuesFrom(again, 9), numbered(2, 9))
    const [batch] = await again.read(0, 1)
    assert.deepEqual(batch?.stamp, STAMP)
    await again.close()
  })

  it('rolls to new segments and reads across them', async () => {
    const disk = memoryDisk()
    const log = await open(disk, { segmentBytes: 1_000 })
    await appendNumbered(log, 50)
    assert.ok(log.status().segments > 5)
    assert.deepEqual(await valuesFrom(log, 0), numbered(50))
    await log.close()
    const again = await open(disk, { segmentBytes: 1_000 })
    for (const from of [0, 13, 49]) assert.deepEqual(await valuesFrom(again, from), numbered(50 - from, from))
    await again.close()
  })

  it('groups appends made together and settles them in order', async () => {
    const log = await open(memoryDisk())
    const settled: number[] = []
    const growths: number[] = []
    log.onGrowth((end) => growths.push(end))
    const appends = Array.from({ length: 20 }, (_, index) =>
      log.append(records([`value ${index}`]), STAMP, index % 2 === 0 ? 'durable' : 'written').then((appended) => {
        settled.push(appended.baseOffset)
      }),
    )
    await Promise.all(appends)
    assert.deepEqual(growths, [20])
    assert.deepEqual(
      settled.filter((offset) => offset % 2 === 0),
      Array.from({ length: 10 }, (_, index) => index * 2),
    )
    assert.deepEqual(await valuesFrom(log, 0), numbered(20))
    await log.close()
  })

  it('refuses durable appends under a policy that does not sync each group', async () => {
    const log = await open(memoryDisk(), { sync: { kind: 'os' } })
    await assert.rejects(log.append(records(['x']), STAMP, 'durable'), { code: 'unsupported' })
    await log.append(records(['value 0']), STAMP, 'written')
    assert.deepEqual(await valuesFrom(log, 0), numbered(1))
    await log.close()
    await log.close()
    await assert.rejects(log.append(records(['x']), STAMP, 'written'), { code: 'closed' })
    await assert.rejects(log.read(0, 10), { code: 'closed' })
  })

  it('refuses appends when too much waits, and takes them again later', async () => {
    const log = await open(memoryDisk(), { queueBytesMax: 1_000 })
    const appends = Array.from({ length: 50 }, (_, index) => log.append(records([`value ${index}`]), STAMP, 'durable'))
    const outcomes = await Promise.allSettled(appends)
    const refused = outcomes.filter((outcome) => outcome.status === 'rejected')
    assert.ok(refused.length > 0 && refused.length < 50)
    for (const outcome of refused) assert.equal(outcome.reason.code, 'overloaded')
    assert.equal(log.endOffset, 50 - refused.length)
    await appendNumbered(log, 1)
    await log.close()
  })

  it('reads little when it is opened, however much there is', async () => {
    const disk = new SimulatedDisk()
    const readAtOpening = async () => {
      const before = disk.bytesRead
      const opened = await open(disk, { segmentBytes: 100_000 })
      const bytes = disk.bytesRead - before
      await opened.close()
      return bytes
    }
    const log = await open(disk, { segmentBytes: 100_000 })
    for (let index = 0; index < 100; index += 1) await log.append(records(['x'.repeat(5_000)]), STAMP, 'durable')
    await log.close()
    assert.ok(log.status().sizeBytes > 500_000)
    assert.ok((await readAtOpening()) < 2_000, 'after a clean end')
    const clock = new SimulatedClock()
    const idle = await open(disk, { clock, idleMs: 100 })
    await appendNumbered(idle, 10, 100)
    await clock.advance(1_000)
    disk.kill()
    disk.restart()
    assert.ok((await readAtOpening()) < 2_000, 'after a kill in a quiet moment')
    const busy = await open(disk)
    await appendNumbered(busy, 10, 110)
    disk.kill()
    disk.restart()
    assert.ok((await readAtOpening()) < 100_000, 'after a kill under load: one segment at most')
  })

  it('refuses a directory that is in use', async () => {
    const disk = memoryDisk()
    const log = await open(disk)
    await assert.rejects(open(disk), { code: 'locked' })
    await log.close()
    await (await open(disk)).close()
  })

  it('drops old segments by size and by age, and says where it begins', async () => {
    const clock = new SimulatedClock()
    const disk = memoryDisk()
    const log = await open(disk, { segmentBytes: 1_000, clock })
    await appendNumbered(log, 20)
    await clock.advance(10_000)
    await appendNumbered(log, 20, 20)
    await log.retain({ ageMs: 5_000 }, clock.nowMs())
    const start = log.startOffset
    assert.ok(start > 0 && start <= 20)
    await assert.rejects(log.read(start - 1, 100), { code: 'position-gone' })
    assert.deepEqual(await valuesFrom(log, start), numbered(40 - start, start))
    await log.retain({ bytes: 1_500 }, clock.nowMs())
    assert.ok(log.startOffset > start)
    await log.advanceStart(38)
    await log.close()
    const again = await open(disk, { clock })
    assert.equal(again.startOffset, 38)
    assert.deepEqual(await valuesFrom(again, 38), numbered(2, 38))
    await again.close()
  })

  it('finds the first offset appended at or after a time', async () => {
    const clock = new SimulatedClock({ startMs: 1_000 })
    const disk = memoryDisk()
    const log = await open(disk, { segmentBytes: 700, clock })
    for (let index = 0; index < 20; index += 1) {
      await appendNumbered(log, 1, index)
      await clock.advance(100)
    }
    const check = async (opened: Log) => {
      for (let index = 0; index < 20; index += 1) {
        assert.equal(await opened.offsetAtTime(1_000 + index * 100), index)
        assert.equal(await opened.offsetAtTime(1_000 + index * 100 - 50), index)
      }
      assert.equal(await opened.offsetAtTime(1e12), 20)
    }
    await check(log)
    await log.close()
    const again = await open(disk, { clock })
    await check(again)
    await again.close()
  })
})
