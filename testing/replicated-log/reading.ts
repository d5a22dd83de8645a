import assert from 'node:assert/strict'
import type { LogEntry, LogRead, ReadOptions, ReplicatedLog, SnapshotRef } from '../../src/consensus/index.ts'

const encoder = new TextEncoder()
const decoder = new TextDecoder()

export function command(text: string): Uint8Array {
  return encoder.encode(text)
}

/** `a1`, `a2` … */
export function commands(name: string, count: number): Uint8Array[] {
  return Array.from({ length: count }, (_, at) => command(`${name}${at + 1}`))
}

function textOf({ data }: LogEntry): string {
  return decoder.decode(data)
}

export function textsOf(entries: readonly LogEntry[]): string[] {
  return entries.map(textOf)
}

export interface Taken {
  readonly entries: readonly LogEntry[]
  /** Given instead of entries that were compacted, newest last. */
  readonly snapshots: readonly SnapshotRef[]
  /** Everything through here was given. */
  readonly through: number
}

/** Reads until it has been given everything through an index, and checks what holds for any read. */
export async function readThrough(
  log: ReplicatedLog,
  through: number,
  options: ReadOptions & { readonly from?: number } = {},
): Promise<Taken> {
  const { from = 0, ...rest } = options
  const entries: LogEntry[] = []
  const snapshots: SnapshotRef[] = []
  let reached = from - 1
  if (through <= reached) return { entries, snapshots, through: reached }
  for await (const read of log.read(from, rest)) {
    reached = checkedEnd(read, reached)
    if ('snapshot' in read) snapshots.push(read.snapshot)
    else entries.push(...read.entries)
    if (reached >= through) break
  }
  return { entries, snapshots, through: reached }
}

/** Indexes rise, times never go back, and nothing is given twice. Returns where the read ends. */
export function checkedEnd(read: LogRead, reached: number): number {
  if ('snapshot' in read) {
    assert.ok(read.snapshot.index > reached, 'a snapshot takes the reader forward')
    return read.snapshot.index
  }
  let before = { index: reached, timeMs: 0 }
  for (const entry of read.entries) {
    assert.ok(entry.index > before.index, `entry ${entry.index} was given after ${before.index}`)
    assert.ok(entry.timeMs >= before.timeMs, `log time went back at entry ${entry.index}`)
    before = entry
  }
  assert.ok(read.through >= before.index, 'a read goes through its last entry')
  return read.through
}

/** Everything that is in the log now, by way of a barrier. */
export async function readAll(log: ReplicatedLog, from = 0): Promise<Taken> {
  const through = await barrier(log)
  return readThrough(log, through, { from })
}

const PATIENCE_MS = 30_000
const LOOK_EVERY_MS = 5

/** A read point, however often leadership has to be waited for. */
export async function barrier(log: ReplicatedLog): Promise<number> {
  for (const untilMs = performance.now() + PATIENCE_MS; ; ) {
    try {
      return await log.barrier()
    } catch (error) {
      const isToWait = (error as { readonly code?: string }).code === 'not-leader' && performance.now() < untilMs
      if (!isToWait) throw error
      await pause()
    }
  }
}

/** Waits until it is so; a log that never comes there has failed, and nothing of the case goes on for ever. */
export async function becomes(what: string, isSo: () => boolean): Promise<void> {
  for (const untilMs = performance.now() + PATIENCE_MS; !isSo(); ) {
    if (performance.now() >= untilMs) throw new Error(`not within ${PATIENCE_MS} ms: ${what}`)
    await pause()
  }
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS))
}

/** `ok`, or the code of what it rejected with. */
export function outcomeOf(call: Promise<unknown>): Promise<string> {
  return call.then(
    () => 'ok',
    (error: { readonly code?: string }) => error.code ?? String(error),
  )
}
