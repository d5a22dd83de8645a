import type { EncodedRecords } from './record.ts'

/** What an append waits for. `durable` is refused with `unsupported` under the sync policies `interval` and `os`. */
export type AppendDurability = 'written' | 'durable'

export type SyncPolicy =
  /** Group commit: one `writev` + `fdatasync` in flight; what arrives meanwhile is the next group. Readers see synced data only. */
  { readonly kind: 'group' } | { readonly kind: 'interval'; readonly intervalMs: number } | { readonly kind: 'os' }

/** Who wrote a batch. A repeated (producer, sequence) is the driver's to find: see `LogBatch`. */
export interface BatchStamp {
  readonly producerId: number
  /** Rises by one per batch of this producer in this partition; -1 means no deduplication. */
  readonly sequence: number
  readonly epoch: number
  /** Bits of the writer's own, stored with the batch and given back with it. Default 0; below 16. */
  readonly marks?: number
}

export interface Appended {
  readonly baseOffset: number
  readonly lastOffset: number
  /** When the leader appended it, by its own clock: what lag in seconds is measured from. */
  readonly appendedAtMs: number
}

/** A stored batch: header fields read once, the bytes as they lie on disk. */
export interface LogBatch {
  readonly baseOffset: number
  readonly lastOffset: number
  /** Records in it; after compaction fewer than the offsets it spans. */
  readonly count: number
  readonly stamp: BatchStamp
  readonly firstTimestampMs: number
  readonly lastTimestampMs: number
  readonly appendedAtMs: number
  /** Header and body, checksummed. A view: valid as long as it is referenced. */
  readonly bytes: Uint8Array
  /** The body within `bytes`: give it to `recordCursor(body, baseOffset, firstTimestampMs)`. */
  readonly body: Uint8Array
}

export interface LogStatus {
  readonly startOffset: number
  /** One past the last record that readers may see. */
  readonly endOffset: number
  readonly sizeBytes: number
  readonly segments: number
  /** Quarantined segments: present, never deleted, not readable in part. */
  readonly quarantined: ReadonlyArray<{ readonly file: string; readonly firstOffset: number; readonly reason: string }>
  /** Set once a sync failed: nothing more is accepted until the log is opened again. */
  readonly poisoned: boolean
  /** Bytes cut as torn when it was opened. */
  readonly tornBytes: number
  /** When the newest batch was appended, by the clock of then; 0 for a log that never had one. */
  readonly lastAppendedAtMs: number
}

export interface Retention {
  readonly ageMs?: number
  readonly bytes?: number
}

/** The segmented append-only log of one partition, in one directory. */
export interface Log {
  readonly startOffset: number
  readonly endOffset: number
  /**
   * Appends one batch. Order of calls is order in the log. Rejects with `disk-full` (nothing of it is kept), with
   * `log-poisoned` after a failed sync, with `closed`.
   */
  append(records: EncodedRecords, stamp: BatchStamp, durability: AppendDurability): Promise<Appended>
  /**
   * Whole batches from the one that holds `fromOffset` (or the next that exists), up to about `maxBytes` and at least
   * one; empty at the end. Rejects with `position-gone` below `startOffset`, with `corrupt` naming the offsets lost in a
   * quarantined range (`details.resumeOffset` is where reading can go on).
   */
  read(fromOffset: number, maxBytes: number): Promise<readonly LogBatch[]>
  /** Called after every growth of `endOffset`, with the new end; returns the way to stop. */
  onGrowth(listener: (endOffset: number) => void): () => void
  /** The first offset whose record was appended at or after the time; `endOffset` when there is none. */
  offsetAtTime(timestampMs: number): Promise<number>
  /** Deletes whole closed segments beyond the retention; never the one being written. */
  retain(retention: Retention, nowMs: number): Promise<void>
  /**
   * Keeps the last record of each key in closed segments; tombstones go after `tombstoneMs`. Offsets stay. With
   * `keepMarked` batches that have one of these marks in their stamp stay whole for that time, and tombstones at least as
   * long. With `closeActive` the segment being written is closed first, so that everything up to now takes part. Holds
   * the keys of the closed segments in memory while it runs.
   */
  compact(options: {
    readonly tombstoneMs: number
    readonly nowMs: number
    readonly keepMarked?: { readonly marks: number; readonly ms: number }
    readonly closeActive?: boolean
  }): Promise<void>
  /** Moves the start: what is before may be deleted. */
  advanceStart(offset: number): Promise<void>
  status(): LogStatus
  /** Waits for what was accepted, syncs, writes the synced end, closes. Idempotent. */
  drain(): Promise<void>
  /** Closes promptly: appends in flight settle, queued ones reject with `closed`. Idempotent. */
  close(): Promise<void>
}
