import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { crc32 } from 'node:zlib'
import { SimulatedClock, SimulatedDisk } from '../../testing/index.ts'
import type { Disk } from '../core/index.ts'
import type { Appended, Log } from './log.ts'
import { type LogOptions, openLog } from './open-log.ts'
import { RecordBatchBuilder } from './record-batch-builder.ts'
import { recordCursor } from './record-cursor.ts'

const STAMP = { producerId: 1, sequence: -1, epoch: 0 }

function open(disk: Disk, options: Partial<LogOptions> = {}): Promise<Log> {
  return openLog({ disk, clock: new SimulatedClock(), directory: 'log', ...options })
}

function append(log: Log, values: readonly string[], durability: 'durable' | 'written' = 'durable'): Promise<Appended> {
  const builder = new RecordBatchBuilder()
  for (const value of values) builder.add({ subject: 's', value, timestampMs: 1 })
  return log.append(builder.finish(), STAMP, durability)
}

async function valuesFrom(log: Log, from: number): Promise<string[]> {
  const values: string[] = []
  for (let at = from; at < log.endOffset; ) {
    const batches = await log.read(at, 1_000_000)
    for (const batch of batches) {
      const cursor = recordCursor(batch.body, batch.baseOffset, 0)
      while (cursor.next()) if (cursor.offset >= at) values.push(cursor.valueText())
    }
    at = batches.at(-1)!.lastOffset + 1
  }
  return values
}

function fileOf(disk: SimulatedDisk, ending: string): string {
  const path = [...disk.image().keys()].find((file) => file.endsWith(ending))
  assert.ok(path !== undefined)
  return path
}

function flip(disk: SimulatedDisk, path: string, at: number): void {
  disk.damage(path, (file) => file.write(Buffer.from([file.bytes()[at]! ^ 0x10]), at))
}

/** A closed log of one-record batches `0`, `1`, …, and where each begins in its file. */
async function closedLog(count: number): Promise<{ readonly disk: SimulatedDisk; readonly starts: readonly number[] }> {
  const disk = new SimulatedDisk()
  const log = await open(disk)
  const starts: number[] = []
  for (let index = 0; index < count; index += 1) {
    await append(log, [`${index}`])
    const [batch] = await log.read(index, 1)
    starts.push(log.status().sizeBytes - batch!.bytes.byteLength)
  }
  await log.close()
  return { disk, starts }
}

/** Makes the checksum of a header right again. */
function seal(header: Buffer, crcAt: number): void {
  header.writeUInt32LE(crc32(header.subarray(crcAt + 4), crc32(header.subarray(0, crcAt))), crcAt)
}

/** Where the value of a batch's only record lies in the batch. */
async function valueStart(log: Log): Promise<number> {
  const [batch] = await log.read(0, 1)
  const cursor = recordCursor(batch!.body, 0, 0)
  cursor.next()
  return batch!.bytes.byteLength - batch!.body.byteLength + cursor.valueStart
}

describe('A log whose sync fails', () => {
  it('refuses what waits and what comes, retries nothing, and works again after a restart', async () => {
    const disk = new SimulatedDisk()
    const log = await open(disk)
    await append(log, ['kept'])
    disk.fail({ call: 'fdatasync', nth: 1, errno: 'EIO' })
    const syncs = disk.calls.get('fdatasync')!
    const failed = append(log, ['doubtful'])
    const queued = failed.catch(() => append(log, ['later']))
    await assert.rejects(failed, { code: 'log-poisoned' })
    await assert.rejects(queued, { code: 'log-poisoned' })
    assert.equal(disk.calls.get('fdatasync'), syncs + 1, 'no sync is tried again')
    assert.ok(log.status().poisoned)
    assert.deepEqual(await valuesFrom(log, 0), ['kept'], 'what was synced is still read')
    await assert.rejects(log.drain(), { code: 'log-poisoned' })
    const again = await open(disk)
    await append(again, ['new'])
    disk.losePower()
    disk.restart()
    const values = await valuesFrom(await open(disk), 0)
    assert.deepEqual([values[0], values.at(-1)], ['kept', 'new'])
  })

  it('acknowledges as written what was written, and refuses what wanted the sync', async () => {
    const disk = new SimulatedDisk()
    const log = await open(disk)
    disk.fail({ call: 'fdatasync', nth: 2, errno: 'EIO' })
    const [written, durable] = await Promise.allSettled([append(log, ['a'], 'written'), append(log, ['b'])])
    assert.deepEqual([written.status, durable.status], ['fulfilled', 'rejected'])
    assert.equal(log.endOffset, 0, 'readers see nothing of it')
    await log.close()
  })
})

describe('A log whose disk is full', () => {
  it('refuses at once with a type, reads on, keeps nothing of the refused, and heals by itself', async () => {
    const disk = new SimulatedDisk({ capacityBytes: 6_000 })
    const log = await open(disk)
    const kept: string[] = []
    for (let index = 0; index < 100; index += 1) {
      const value = `${index}`.padStart(200)
      const outcome = await append(log, [value]).then(
        () => 'kept',
        (error: { code: string; retryable: boolean }) => `${error.code} ${error.retryable}`,
      )
      if (outcome === 'kept') kept.push(value)
      else {
        assert.equal(outcome, 'disk-full true')
        break
      }
    }
    assert.ok(kept.length > 5 && kept.length < 100)
    assert.deepEqual(await valuesFrom(log, 0), kept)
    disk.capacityBytes = 20_000
    await append(log, ['room again'])
    assert.deepEqual(await valuesFrom(log, 0), [...kept, 'room again'])
    await log.close()
    const again = await open(disk)
    assert.deepEqual(await valuesFrom(again, 0), [...kept, 'room again'])
    await again.close()
  })

  it('can be opened when it cannot be written', async () => {
    const { disk } = await closedLog(3)
    disk.capacityBytes = 0
    const log = await open(disk)
    assert.deepEqual(await valuesFrom(log, 0), ['0', '1', '2'])
    await assert.rejects(append(log, ['more']), { code: 'disk-full' })
    await log.close()
  })
})

describe('A damaged log', () => {
  it('says which offsets are lost and where to go on, gives the others, and keeps the file', async () => {
    const { disk, starts } = await closedLog(10)
    const path = fileOf(disk, '.segment')
    flip(disk, path, starts[4]! + 110)
    const before = disk.image().get(path)
    const log = await open(disk)
    assert.deepEqual(
      (await log.read(2, 10_000)).map((batch) => batch.baseOffset),
      [2, 3],
    )
    await assert.rejects(log.read(4, 10_000), (error: { code: string; details: Record<string, unknown> }) => {
      assert.equal(error.code, 'corrupt')
      assert.equal(error.details.resumeOffset, 5)
      return true
    })
    assert.deepEqual(await valuesFrom(log, 5), ['5', '6', '7', '8', '9'])
    assert.equal(log.status().quarantined[0]?.firstOffset, 0)
    assert.equal((await append(log, ['new'])).baseOffset, 10)
    assert.equal(log.status().segments, 2, 'appends go on in a new segment')
    await log.retain({ bytes: 1 }, Number.MAX_SAFE_INTEGER)
    await log.close()
    assert.deepEqual(disk.image().get(path), before)
    const again = await open(disk)
    assert.equal(again.status().quarantined.length, 1)
    await again.close()
  })

  it('knows from its checkpoint that its end is missing, and gives no offset twice', async () => {
    const { disk, starts } = await closedLog(10)
    disk.damage(fileOf(disk, '.segment'), (file) => file.truncate(starts[6]! + 5))
    const log = await open(disk)
    await assert.rejects(log.read(6, 1_000), { code: 'corrupt' })
    assert.equal((await append(log, ['new'])).baseOffset, 10)
    assert.deepEqual(await valuesFrom(log, 10), ['new'])
    await log.close()
  })

  it('takes nothing for a batch that only looks like one: a copy within a value, or one of another log', async () => {
    const batchOf = async (log: Log, offset: number) => (await log.read(offset, 1))[0]!.bytes
    const stored = await open(new SimulatedDisk(), { directory: 'other/log' })
    await append(stored, ['x'.repeat(400)])
    await append(stored, ['of another log'])
    const foreign = await batchOf(stored, 1)
    const disk = new SimulatedDisk()
    const log = await open(disk)
    await append(log, ['first'])
    // One that says it is the very batch that is going to be lost, but stands elsewhere.
    const own = Buffer.from(await batchOf(log, 0))
    own.writeUInt32LE(1, 56)
    seal(own.subarray(0, 104), 8)
    // The value is placed so that the foreign batch comes to lie exactly where it says that it stands.
    const valueAt = log.status().sizeBytes + (await valueStart(log))
    const filler = Buffer.alloc(stored.status().sizeBytes - foreign.byteLength - valueAt)
    const builder = new RecordBatchBuilder()
    builder.add({ subject: 's', value: Buffer.concat([filler, foreign, own]), timestampMs: 1 })
    const start = log.status().sizeBytes
    await log.append(builder.finish(), STAMP, 'durable')
    await append(log, ['last'])
    await log.close()
    await stored.close()
    flip(disk, fileOf(disk, '.segment'), start + 20)
    const again = await open(disk)
    assert.deepEqual(await valuesFrom(again, 0).catch((error) => error.details.resumeOffset), 2)
    assert.deepEqual(await valuesFrom(again, 2), ['last'])
    await again.close()
  })

  it('cuts off and reports a torn end', async () => {
    const disk = new SimulatedDisk()
    const log = await open(disk)
    for (const value of ['a', 'b', 'c']) await append(log, [value])
    const path = fileOf(disk, '.segment')
    const length = disk.image().get(path)!.byteLength
    disk.kill()
    disk.restart()
    disk.damage(path, (file) => file.truncate(length - 3))
    const again = await open(disk)
    assert.ok(again.status().tornBytes > 0)
    assert.deepEqual(await valuesFrom(again, 0), ['a', 'b'])
    assert.deepEqual(again.status().quarantined, [])
    await append(again, ['d'])
    assert.deepEqual(await valuesFrom(again, 0), ['a', 'b', 'd'])
    await again.close()
  })

  it('reports a segment that is missing', async () => {
    const disk = new SimulatedDisk()
    const log = await open(disk, { segmentBytes: 1 })
    for (const value of ['a', 'b', 'c', 'd']) await append(log, [value])
    await log.close()
    await disk.remove('log/00000000000000000001.segment')
    const again = await open(disk)
    await assert.rejects(again.read(1, 100), { code: 'corrupt' })
    assert.deepEqual(await valuesFrom(again, 2), ['c', 'd'])
    await again.close()
  })
})

describe('A log from a later version', () => {
  it('is refused: segment, batch and checkpoint name their version', async () => {
    const { disk, starts } = await closedLog(3)
    const path = fileOf(disk, '.segment')
    const original = Buffer.from(disk.image().get(path)!)
    const segment = Buffer.from(original)
    segment.writeUInt16LE(9, 4)
    seal(segment.subarray(0, 64), 8)
    disk.damage(path, (file) => file.write(segment, 0))
    await assert.rejects(open(disk), /version 9, this build reads up to 1/)
    const batch = Buffer.from(original)
    const header = batch.subarray(starts[1], starts[1]! + 104)
    header.writeUInt8(7, 4)
    seal(header, 8)
    disk.damage(path, (file) => file.write(batch, 0))
    const log = await open(disk)
    await assert.rejects(log.read(1, 100), { code: 'future-version' })
    await log.close()
  })
})

describe('The indexes of a log', () => {
  it('can be deleted, cut, or filled with nonsense, and reads are the same', async () => {
    const disk = new SimulatedDisk()
    const clock = new SimulatedClock()
    const log = await open(disk, { segmentBytes: 300_000, clock })
    for (let index = 0; index < 300; index += 1) {
      await append(log, [`${index}`.padEnd(5_000, 'x'), `${index} more`])
      await clock.advance(10)
    }
    await log.close()
    const pristine = disk.image()
    const indexes = [...pristine.keys()].filter((path) => path.endsWith('.index'))
    assert.ok(indexes.length >= 4)
    const look = async (image: ReadonlyMap<string, Uint8Array>) => {
      const opened = await open(new SimulatedDisk({ image }), { clock })
      const found: unknown[] = []
      for (let offset = 3; offset < 600; offset += 41) found.push((await opened.read(offset, 1))[0]!.baseOffset)
      for (let index = 0; index < 300; index += 37) found.push(await opened.offsetAtTime(Date.UTC(2026) + index * 10))
      await opened.close()
      return found
    }
    const wanted = await look(pristine)
    for (let round = 0; round < 60; round += 1) {
      const image = new Map(pristine)
      for (const [at, path] of indexes.entries()) {
        const bytes = Buffer.from(pristine.get(path)!)
        const kind = (round + at) % 4
        if (kind === 0) image.delete(path)
        else if (kind === 1) image.set(path, bytes.subarray(0, (round * 7) % bytes.byteLength))
        else if (kind === 2) image.set(path, bytes.fill(round, (round * 13) % bytes.byteLength))
        // Intact, but of another segment.
        else image.set(path, pristine.get(indexes[(at + 1) % indexes.length]!)!)
      }
      assert.deepEqual(await look(image), wanted, `round ${round}`)
    }
  })
})

describe('A log that syncs by interval', () => {
  it('shows what is written at once, and holds it against power loss after the interval', async () => {
    const disk = new SimulatedDisk()
    const clock = new SimulatedClock()
    const options = { clock, sync: { kind: 'interval', intervalMs: 100 } } as const
    const log = await open(disk, options)
    await append(log, ['a'], 'written')
    assert.deepEqual(await valuesFrom(log, 0), ['a'])
    await clock.advance(150)
    disk.losePower()
    disk.restart()
    assert.deepEqual(await valuesFrom(await open(disk, options), 0), ['a'])
  })
})
