import { SkeinError } from '../../core/index.ts'
import type { Entry } from '../../raft/index.ts'
import { encodeEntries, readEntries } from './entry-codec.ts'
import type { SnapshotRecord } from './snapshot-record.ts'

/** What is written to the log on the disk at once: a crash leaves it whole or not at all. */
export interface WalFrame {
  readonly commit: number
  /** Follow each other; the first may be at or below the last stored: it takes the place of all from there on. */
  readonly entries: readonly Entry[]
  readonly snapshot?: SnapshotRecord | undefined
  /** The snapshot takes the place of the whole stored log. */
  readonly replacesLog?: boolean
}

const VERSION = 1
const FLAG_REPLACES = 1
const HEADER_BYTES = 28

/** Version (1), flags (1), bytes of the snapshot's record (4 from 4), commit, first index (8 each, doubles), count (4), the record as JSON, entries: in pieces. */
export function encodeWalFrame({ commit, entries, snapshot, replacesLog }: WalFrame): Uint8Array[] {
  const record = snapshot === undefined ? Buffer.alloc(0) : Buffer.from(JSON.stringify(snapshot))
  const bytes = Buffer.allocUnsafeSlow(HEADER_BYTES + record.length)
  bytes.writeUInt8(VERSION, 0)
  bytes.writeUInt8(replacesLog === true ? FLAG_REPLACES : 0, 1)
  bytes.writeUInt16LE(0, 2)
  bytes.writeUInt32LE(record.length, 4)
  bytes.writeDoubleLE(commit, 8)
  bytes.writeDoubleLE(entries[0]?.index ?? 0, 16)
  bytes.writeUInt32LE(entries.length, 24)
  bytes.set(record, HEADER_BYTES)
  return [bytes, ...encodeEntries(entries)]
}

/** Throws `future-version`, and `corrupt` for what passed its checksum and yet makes no sense. */
export function decodeWalFrame(body: Uint8Array): WalFrame {
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength)
  if (bytes.length < HEADER_BYTES) throw corrupt('a frame is too short')
  const version = bytes.readUInt8(0)
  if (version > VERSION) {
    const message = `Cannot open the log of a Raft member: a frame is of version ${version}, this build reads up to ${VERSION}; use a newer Skein`
    throw new SkeinError('future-version', message, { details: { version, known: VERSION } })
  }
  const entriesFrom = HEADER_BYTES + bytes.readUInt32LE(4)
  if (entriesFrom > bytes.length) throw corrupt('a frame is cut off')
  const commit = bytes.readDoubleLE(8)
  const place = { from: entriesFrom, first: bytes.readDoubleLE(16), count: bytes.readUInt32LE(24) }
  return {
    commit,
    entries: readStored(bytes, place),
    snapshot: entriesFrom === HEADER_BYTES ? undefined : readRecord(bytes.subarray(HEADER_BYTES, entriesFrom)),
    replacesLog: (bytes.readUInt8(1) & FLAG_REPLACES) !== 0,
  }
}

function readStored(bytes: Buffer, place: Parameters<typeof readEntries>[1]): readonly Entry[] {
  try {
    return readEntries(bytes, place)
  } catch (cause) {
    throw corrupt('its entries make no sense', cause)
  }
}

function readRecord(bytes: Buffer): SnapshotRecord {
  try {
    return JSON.parse(bytes.toString('utf8')) as SnapshotRecord
  } catch (cause) {
    throw corrupt('its snapshot makes no sense', cause)
  }
}

function corrupt(why: string, cause?: unknown): SkeinError {
  return new SkeinError('corrupt', `Cannot read the log of a Raft member: ${why}`, { cause })
}
