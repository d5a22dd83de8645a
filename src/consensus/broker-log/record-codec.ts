import { SkeinError } from '../../core/index.ts'

/** `claim`: whoever wrote it leads from here. `barrier`: shows where its writer's view has come to. */
export type RecordKind = 'command' | 'claim' | 'barrier' | 'compaction'

/** One message of the topic that carries a log. */
export interface LogRecord {
  readonly kind: RecordKind
  /** Of the writer that wrote it; of a claim, the one that it begins. 0 where it does not matter. */
  readonly epoch: number
  /** Log time, ms since 1970-01-01 UTC. */
  readonly timeMs: number
  /** Commands of one call share it; it rises within an epoch. */
  readonly call: number
  readonly ordinal: number
  /** Commands of the call. */
  readonly count: number
  readonly data: Uint8Array
}

const VERSION = 1
const KINDS: readonly RecordKind[] = ['command', 'claim', 'barrier', 'compaction']
export const RECORD_HEADER_BYTES = 36

/** Version, kind, two bytes of nothing, then epoch, time and call as doubles, ordinal and count: little-endian. */
export function encodeRecord(record: LogRecord): Uint8Array {
  const bytes = new Uint8Array(RECORD_HEADER_BYTES + record.data.length)
  const view = new DataView(bytes.buffer)
  view.setUint8(0, VERSION)
  view.setUint8(1, KINDS.indexOf(record.kind))
  view.setFloat64(4, record.epoch, true)
  view.setFloat64(12, record.timeMs, true)
  view.setFloat64(20, record.call, true)
  view.setUint32(28, record.ordinal, true)
  view.setUint32(32, record.count, true)
  bytes.set(record.data, RECORD_HEADER_BYTES)
  return bytes
}

/** The data is a copy. Throws `corrupt` for what is no record, `future-version` for one of a later build. */
export function decodeRecord(bytes: Uint8Array): LogRecord {
  if (bytes.length < RECORD_HEADER_BYTES) throw notOurs(`${bytes.length} bytes are too few`)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const version = view.getUint8(0)
  if (version > VERSION) {
    const message = `Cannot read a record of the log: it is of version ${version}, this build reads up to ${VERSION}; use a newer Skein`
    throw new SkeinError('future-version', message, { details: { version, known: VERSION } })
  }
  const kind = KINDS[view.getUint8(1)]
  if (version === 0 || kind === undefined) throw notOurs('its kind is not known')
  return {
    kind,
    epoch: view.getFloat64(4, true),
    timeMs: view.getFloat64(12, true),
    call: view.getFloat64(20, true),
    ordinal: view.getUint32(28, true),
    count: view.getUint32(32, true),
    data: bytes.slice(RECORD_HEADER_BYTES),
  }
}

function notOurs(why: string): SkeinError {
  return new SkeinError(
    'corrupt',
    `Cannot read a record of the log: ${why}; only replicated logs may write to this topic`,
  )
}
