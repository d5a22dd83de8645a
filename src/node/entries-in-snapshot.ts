import type { LogEntry } from '../consensus/index.ts'
import { SkeinError } from '../core/index.ts'

/** Index, term and time as doubles, length: little-endian. */
const HEADER_BYTES = 28
const MAGIC = 'SKLS'
const VERSION = 1

/** Commands as the state of a log that nobody folds: what was in the log, in its order. */
export async function* encodeEntries(entries: AsyncIterable<readonly LogEntry[]>): AsyncGenerator<Uint8Array> {
  yield Buffer.concat([Buffer.from(MAGIC), Buffer.of(VERSION)])
  for await (const batch of entries) {
    for (const { index, term, timeMs, data } of batch) {
      const bytes = Buffer.allocUnsafe(HEADER_BYTES + data.length)
      bytes.writeDoubleLE(index, 0)
      bytes.writeDoubleLE(term, 8)
      bytes.writeDoubleLE(timeMs, 16)
      bytes.writeUInt32LE(data.length, 24)
      bytes.set(data, HEADER_BYTES)
      yield bytes
    }
  }
}

/** Throws `future-version`, and `corrupt` for what is no such state. */
export async function* decodeEntries(state: AsyncIterable<Uint8Array>): AsyncGenerator<LogEntry> {
  let left = Buffer.alloc(0)
  let isBegun = false
  for await (const chunk of state) {
    left = Buffer.concat([left, chunk])
    let at = 0
    if (!isBegun && left.length > MAGIC.length) {
      checkBeginning(left)
      isBegun = true
      at = MAGIC.length + 1
    }
    for (let end = endOf(left, at); isBegun && end <= left.length; end = endOf(left, at)) {
      const data = new Uint8Array(left.subarray(at + HEADER_BYTES, end))
      yield { index: left.readDoubleLE(at), term: left.readDoubleLE(at + 8), timeMs: left.readDoubleLE(at + 16), data }
      at = end
    }
    left = left.subarray(at)
  }
  if (!isBegun || left.length > 0) throw notOurs()
}

function endOf(bytes: Buffer, at: number): number {
  return at + HEADER_BYTES <= bytes.length ? at + HEADER_BYTES + bytes.readUInt32LE(at + 24) : Number.POSITIVE_INFINITY
}

function checkBeginning(bytes: Buffer): void {
  if (bytes.toString('latin1', 0, MAGIC.length) !== MAGIC) throw notOurs()
  const version = bytes[MAGIC.length]!
  if (version === VERSION) return
  const message = `Cannot read the commands in a snapshot: they are of version ${version}, this build reads ${VERSION}; use a newer Skein`
  throw new SkeinError('future-version', message, { details: { version, known: VERSION } })
}

function notOurs(): SkeinError {
  return new SkeinError('corrupt', 'Cannot read the commands in a snapshot: it is not one that a node has taken')
}
