import { createHash } from 'node:crypto'
import type { TopicSpec } from '../../bus/index.ts'
import { SkeinError } from '../../core/index.ts'

const VERSION = 1

/** What a segment holds of one partition. */
export interface SegmentRange {
  readonly partition: number
  readonly messages: number
  readonly firstSequence: number
  readonly lastSequence: number
  /** Of their appends, by the broker's clock: the least and the greatest. */
  readonly firstAtMs: number
  readonly lastAtMs: number
}

/** One immutable object of messages. */
export interface SegmentEntry {
  readonly name: string
  /** As it lies in the store. */
  readonly bytes: number
  readonly sha256: string
  readonly messages: number
  /** Of its rows, before compression. */
  readonly rowBytes: number
  readonly ranges: readonly SegmentRange[]
}

/** What the source had lost before it could be archived: from `fromSequence` up to and without `beforeSequence`. */
export interface ArchiveGap {
  readonly partition: number
  readonly fromSequence: number
  readonly beforeSequence: number
  /** `position-gone`: retention took it. `corrupt`: it was damaged. */
  readonly why: string
}

/** How far a partition is archived. */
export interface ArchivePlace {
  readonly partition: number
  /** Everything before it is in the archive, or in a gap. */
  readonly nextSequence: number
  /** The last that was archived: tells a topic from one of the same name that was made after it. */
  readonly last?: { readonly sequence: number; readonly appendedAtMs: number }
}

/** The topic that an archive holds. */
export interface ArchiveSource {
  /** `broker/topic`: the broker by its identity, whatever address leads to it. */
  readonly place: string
  readonly topic: string
  /** For the topic that a restore makes. */
  readonly spec: Pick<
    TopicSpec,
    'intent' | 'partitions' | 'durability' | 'compaction' | 'ttlMs' | 'messageBytesMax' | 'deduplicationWindowMs'
  >
}

export interface ArchiveTotals {
  readonly messages: number
  readonly segments: number
  /** Of all segments, as they lie in the store. */
  readonly bytes: number
  readonly gaps: number
}

/**
 * One step of an archive. The manifest is the chain of its records; each names at most one segment, is never changed, and holds
 * the hash of the record before it, so that the newest alone says how far the archive is.
 */
export interface ArchiveRecord {
  readonly version: 1
  /** From 1, without a hole. */
  readonly number: number
  /** The archive's identity, the same in all of its records. */
  readonly archive: string
  /** Who wrote it: another id after each start. */
  readonly writer: string
  readonly writtenAtMs: number
  /** The hash of the record before; empty in the first. */
  readonly previous: string
  readonly source: ArchiveSource
  readonly segment?: SegmentEntry
  readonly gaps?: readonly ArchiveGap[]
  readonly places: readonly ArchivePlace[]
  /** Of all records up to this one. */
  readonly totals: ArchiveTotals
}

export interface KeptRecord {
  readonly record: ArchiveRecord
  readonly sha256: string
}

export function encodeRecord(record: ArchiveRecord): { readonly bytes: Uint8Array; readonly sha256: string } {
  const text = JSON.stringify(record)
  const sha256 = sha256Of(text)
  return { bytes: Buffer.from(`{"sha256":"${sha256}","record":${text}}\n`), sha256 }
}

/** Throws `corrupt` naming the object, `future-version`. */
export function decodeRecord(name: string, bytes: Uint8Array): KeptRecord {
  const { sha256, record } = parsed(name, bytes)
  if (record?.version !== undefined && record.version !== VERSION) {
    const message = `Cannot read the archive: "${name}" has version ${record.version}, this build reads ${VERSION}`
    throw new SkeinError('future-version', message, { details: { object: name } })
  }
  if (record === undefined || sha256 !== sha256Of(JSON.stringify(record))) throw damaged(name, 'its checksum differs')
  return { record, sha256 }
}

export function sha256Of(bytes: string | Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

/** An object of an archive that is not what was written. */
export function damaged(name: string, why: string, cause?: unknown): SkeinError {
  return new SkeinError('corrupt', `Cannot read "${name}" of the archive: ${why}; bring it back from a copy`, {
    cause,
    details: { object: name, reason: why },
  })
}

function parsed(name: string, bytes: Uint8Array): Partial<KeptRecord> {
  try {
    return JSON.parse(Buffer.from(bytes).toString('utf8')) as Partial<KeptRecord>
  } catch (cause) {
    throw damaged(name, 'it is no JSON', cause)
  }
}
