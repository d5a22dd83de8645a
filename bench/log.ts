/**
 * The log beside the disk: distinct values of 128 bytes, encoded in each call, appended and acknowledged as durable,
 * then read back and counted; against bare `writev` and `fdatasync` of the very same sizes, alternating.
 */
import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { join } from 'node:path'
import { systemClock, systemDisk } from '../src/core/system/index.ts'
import { type Log, openLog, RecordBatchBuilder, recordCursor } from '../src/log/index.ts'
import { type WatchedDisk, watchDisk } from './log/watched-disk.ts'

const PAIRS = 7
const MESSAGES = 600_000
const VALUE_BYTES = 128
const BATCH_MESSAGES = 8_192
/** Batches under way at once: one group is written while the next is encoded. */
const WINDOW = 4

const RATIO_MIN = 0.5
const MESSAGES_PER_SECOND_ENOUGH = 1_500_000

interface Round {
  readonly seconds: number
  readonly readSeconds: number
  /** What every acknowledgment survived when it came. */
  readonly durability: 'durable' | 'written'
  readonly writes: ReadonlyArray<{ readonly bytes: number; readonly synced: boolean }>
}

async function ourRound(directory: string): Promise<Round> {
  const watched = watchDisk(systemDisk())
  const log = await openLog({ disk: watched.disk, clock: systemClock, directory })
  const before = performance.now()
  const isSynced = await appendAll(log, watched)
  const between = performance.now()
  await readAll(log)
  const after = performance.now()
  await log.close()
  const seconds = { seconds: (between - before) / 1000, readSeconds: (after - between) / 1000 }
  const isOnDisk = watched.disk.kind === 'real' && isSynced
  return { ...seconds, durability: isOnDisk ? 'durable' : 'written', writes: watched.writes }
}

/** Whether a sync of at least so many bytes had come back before each acknowledgment. */
async function appendAll(log: Log, watched: WatchedDisk): Promise<boolean> {
  const builder = new RecordBatchBuilder()
  const value = Buffer.alloc(VALUE_BYTES, 'skein ')
  const stamp = { producerId: 1, sequence: -1, epoch: 0 }
  const waiting: Array<Promise<unknown>> = []
  let bytes = 0
  let isSynced = true
  for (let number = 0; number < MESSAGES; ) {
    const timestampMs = Date.now()
    const end = Math.min(MESSAGES, number + BATCH_MESSAGES)
    for (; number < end; number += 1) {
      value.writeUInt32LE(number, 0)
      builder.add({ subject: 'bench.log', value, timestampMs })
    }
    const records = builder.finish()
    bytes += records.byteLength
    const throughBytes = bytes
    const check = () => {
      isSynced &&= watched.syncedBytes >= throughBytes
    }
    waiting.push(log.append(records, stamp, 'durable').then(check))
    if (waiting.length >= WINDOW) await waiting.shift()
  }
  await Promise.all(waiting)
  return isSynced
}

async function readAll(log: Log): Promise<void> {
  let number = 0
  while (number < log.endOffset) {
    for (const batch of await log.read(number, 1024 * 1024)) {
      const cursor = recordCursor(batch.body, batch.baseOffset, batch.firstTimestampMs)
      while (cursor.next()) {
        const found = Buffer.from(cursor.bytes.buffer, cursor.bytes.byteOffset + cursor.valueStart, 4).readUInt32LE(0)
        if (found !== number || cursor.valueEnd - cursor.valueStart !== VALUE_BYTES) {
          throw new Error(`Offset ${cursor.offset} holds message ${found}, not ${number}`)
        }
        number += 1
      }
    }
  }
  if (number !== MESSAGES) throw new Error(`${number} of ${MESSAGES} messages came back`)
}

/** The same writes and syncs with nothing around them. */
async function rawRound(path: string, writes: Round['writes']): Promise<number> {
  const largest = Math.max(...writes.map((write) => write.bytes))
  const bytes = Buffer.alloc(largest, 'skein ')
  const file: FileHandle = await open(path, 'w')
  try {
    const before = performance.now()
    let position = 0
    for (const write of writes) {
      await file.writev([bytes.subarray(0, write.bytes)], position)
      position += write.bytes
      if (write.synced) await file.datasync()
    }
    return (performance.now() - before) / 1000
  } finally {
    await file.close()
  }
}

/** What the machine takes for one small write and its sync. */
function fsyncP50Ms(path: string): number {
  const file = openSync(path, 'w')
  const page = Buffer.alloc(4096, 1)
  const times: number[] = []
  for (let index = 0; index < 200; index += 1) {
    writeSync(file, page, 0, page.byteLength, index * page.byteLength)
    const before = performance.now()
    fdatasyncSync(file)
    times.push(performance.now() - before)
  }
  closeSync(file)
  return median(times)
}

function median(values: readonly number[]): number {
  return values.toSorted((left, right) => left - right)[Math.floor(values.length / 2)]!
}

async function main(directory: string): Promise<boolean> {
  const ours: Round[] = []
  const raws: number[] = []
  for (let pair = 0; pair <= PAIRS; pair += 1) {
    const our = await ourRound(join(directory, `log-${pair}`))
    const raw = await rawRound(join(directory, `raw-${pair}`), our.writes)
    for (const name of [`log-${pair}`, `raw-${pair}`]) rmSync(join(directory, name), { recursive: true })
    // The first pair warms both sides up and is not counted.
    if (pair === 0) continue
    ours.push(our)
    raws.push(raw)
  }
  const result = {
    messagesPerSecond: Math.round(MESSAGES / median(ours.map((round) => round.seconds))),
    rawPerSecond: Math.round(MESSAGES / median(raws)),
    ratio: Number(median(ours.map((round, index) => raws[index]! / round.seconds)).toFixed(3)),
    durability: ours.every((round) => round.durability === 'durable') ? 'durable' : 'written',
    readPerSecond: Math.round(MESSAGES / median(ours.map((round) => round.readSeconds))),
    fsyncP50Ms: Number(fsyncP50Ms(join(directory, 'fsync')).toFixed(3)),
    valueBytes: VALUE_BYTES,
    messages: MESSAGES,
    pairs: PAIRS,
  }
  console.log(JSON.stringify(result))
  const isQuick = result.ratio >= RATIO_MIN || result.messagesPerSecond >= MESSAGES_PER_SECOND_ENOUGH
  return isQuick && result.durability === 'durable'
}

// Beside the project: the temporary directory is memory on many machines.
const directory = mkdtempSync(join(process.cwd(), '.bench-log-'))
try {
  process.exitCode = (await main(directory)) ? 0 : 1
} finally {
  rmSync(directory, { recursive: true, force: true })
}
