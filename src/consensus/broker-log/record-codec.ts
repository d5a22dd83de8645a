import { SkeinError } from '../../core/index.ts'

/**
 * `claim`: whoever wrote it leads from here. `barrier`: shows where its writer's view has come to. `sequenced`: a command that
 * its leader took from the topic of proposals.
 */
export type RecordKind = 'command' | 'claim' | 'barrier' | 'compaction' | 'sequenced'

/** Where a sequenced command comes from: the same for all commands of a call. */
export interface Origin {
  /** The life of the member that proposed it: 24 hexadecimal digits. */
  readonly proposer: string
  /** Of its calls, from 1. */
  readonly number: number
  /** The call that stands right before in the log: what does not continue the log so is passed over. 0 before the first. */
  readonly previous: number
}

/** One message of the topic that carries a log. */
export interface LogRecord {
  readonly kind: RecordKind
  /** Of the writer that wrote it; of a claim, the one that it begins. 0 where it does not matter. */
  readonly epoch: number
  /** Log time, ms since 1970-01-01 UTC. */
  readonly timeMs: number
  /** Commands of one call share it; it rises within an epoch. Of sequenced ones: its place among the proposals and one. */
  readonly call: number
  readonly ordinal: number
  /** Commands of the call. */
  readonly count: number
  readonly data: Uint8Array
  /** Of a sequenced command alone. */
  readonly origin?: Origin
}

const VERSION = 1
const KINDS: readonly RecordKind[] = ['command', 'claim', 'barrier', 'compaction', 'sequenced']
export const RECORD_HEADER_BYTES = 36
const PROPOSER_BYTES = 12
const ORIGIN_BYTES = PROPOSER_BYTES + 16
export const SEQUENCED_HEADER_BYTES = RECORD_HEADER_BYTES + ORIGIN_BYTES

/**
 * Version, kind, two bytes of nothing, then epoch, time and call as doubles, ordinal and count: little-endian. An origin is
 * proposer, then number and previous as doubles.
 */
export function encodeRecord(record: LogRecord): Uint8Array {
  const { origin } = record
  const headerBytes = origin === undefined ? RECORD_HEADER_BYTES : SEQUENCED_HEADER_BYTES
  const bytes = new Uint8Array(headerBytes + record.data.length)
  const view = new DataView(bytes.buffer)
  view.setUint8(0, VERSION)
  view.setUint8(1, KINDS.indexOf(record.kind))
  view.setFloat64(4, record.epoch, true)
  view.setFloat64(12, record.timeMs, true)
  view.setFloat64(20, record.call, true)
  view.setUint32(28, record.ordinal, true)
  view.setUint32(32, record.count, true)
  bytes.set(record.data, headerBytes)
  if (origin === undefined) return bytes
  bytes.set(Buffer.from(origin.proposer, 'hex'), RECORD_HEADER_BYTES)
  view.setFloat64(RECORD_HEADER_BYTES + PROPOSER_BYTES, origin.number, true)
  view.setFloat64(RECORD_HEADER_BYTES + PROPOSER_BYTES + 8, origin.previous, true)
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
  const isSequenced = kind === 'sequenced'
  if (isSequenced && bytes.length < SEQUENCED_HEADER_BYTES) throw notOurs(`${bytes.length} bytes are too few`)
  return {
    kind,
    epoch: view.getFloat64(4, true),
    timeMs: view.getFloat64(12, true),
    call: view.getFloat64(20, true),
    ordinal: view.getUint32(28, true),
    count: view.getUint32(32, true),
    data: bytes.slice(isSequenced ? SEQUENCED_HEADER_BYTES : RECORD_HEADER_BYTES),
    ...(isSequenced && { origin: originOf(bytes, view) }),
  }
}

function originOf(bytes: Uint8Array, view: DataView): Origin {
  const numbersAt = RECORD_HEADER_BYTES + PROPOSER_BYTES
  return {
    proposer: Buffer.from(bytes.subarray(RECORD_HEADER_BYTES, numbersAt)).toString('hex'),
    number: view.getFloat64(numbersAt, true),
    previous: view.getFloat64(numbersAt + 8, true),
  }
}

function notOurs(why: string): SkeinError {
  return new SkeinError(
    'corrupt',
    `Cannot read a record of the log: ${why}; only replicated logs may write to this topic`,
  )
}
