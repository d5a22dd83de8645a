/**
 * Opening a log of 1 GiB and one of 4 GiB: after a clean end, and after the process died in the middle of writing. It
 * must not take longer for there being more.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { systemClock, systemDisk } from '../src/core/system/index.ts'
import { type Log, openLog, RecordBatchBuilder } from '../src/log/index.ts'

const GIB = 1024 * 1024 * 1024
const BATCH_BYTES = 1024 * 1024
const WINDOW = 4
const OPEN_MS_MAX = 300
/** Times of a few milliseconds differ by as much from one run to the next. */
const FLAT_FACTOR = 2
const FLAT_SLACK_MS = 50

/** No idle time: an end that is not recorded is what a killed process leaves. No lock: the log that is left behind has none. */
function open(directory: string): Promise<Log> {
  return openLog({ disk: systemDisk(), clock: systemClock, directory, idleMs: 3_600_000, lock: false })
}

async function grow(log: Log, bytes: number): Promise<void> {
  const builder = new RecordBatchBuilder({ initialBytes: BATCH_BYTES })
  for (let number = 0; builder.byteLength < BATCH_BYTES - 1_024; number += 1) {
    builder.add({ subject: 'bench.open', key: `key-${number % 100}`, value: `${number}`.padStart(128), timestampMs: 0 })
  }
  const records = builder.finish()
  const stamp = { producerId: 1, sequence: -1, epoch: 0 }
  const waiting: Array<Promise<unknown>> = []
  while (log.status().sizeBytes + waiting.length * records.byteLength < bytes) {
    waiting.push(log.append(records, stamp, 'durable'))
    if (waiting.length >= WINDOW) await waiting.shift()
  }
  await Promise.all(waiting)
}

async function timedOpen(directory: string, endOffset: number): Promise<{ readonly log: Log; readonly ms: number }> {
  const before = performance.now()
  const log = await open(directory)
  const ms = performance.now() - before
  if (log.endOffset !== endOffset) throw new Error(`The log ends at ${log.endOffset}, not at ${endOffset}`)
  return { log, ms }
}

/** Grows the log to this size, leaves it as a killed process would, and opens it; then again after a clean end. */
async function measure(
  directory: string,
  bytes: number,
): Promise<{ readonly killedMs: number; readonly cleanMs: number }> {
  const writing = await open(directory)
  await grow(writing, bytes)
  const killed = await timedOpen(directory, writing.endOffset)
  await killed.log.close()
  const clean = await timedOpen(directory, writing.endOffset)
  await clean.log.close()
  return { killedMs: killed.ms, cleanMs: clean.ms }
}

async function main(directory: string): Promise<boolean> {
  const one = await measure(directory, GIB)
  const four = await measure(directory, 4 * GIB)
  const rounded = (ms: number) => Number(ms.toFixed(1))
  const result = {
    openMs1GiB: rounded(one.killedMs),
    openMs4GiB: rounded(four.killedMs),
    cleanOpenMs1GiB: rounded(one.cleanMs),
    cleanOpenMs4GiB: rounded(four.cleanMs),
    state: 'openMs: the process died while writing; cleanOpenMs: closed',
  }
  console.log(JSON.stringify(result))
  const isFlat = result.openMs4GiB <= result.openMs1GiB * FLAT_FACTOR + FLAT_SLACK_MS
  return Math.max(result.openMs1GiB, result.openMs4GiB) < OPEN_MS_MAX && isFlat
}

const directory = mkdtempSync(join(process.cwd(), '.bench-open-'))
try {
  process.exitCode = (await main(join(directory, 'log'))) ? 0 : 1
} finally {
  rmSync(directory, { recursive: true, force: true })
}
