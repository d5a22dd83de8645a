import type { LogAdmin } from './log-admin.ts'
import type { LogStatus } from './log-status.ts'
import type { SnapshotRef } from './snapshot-ref.ts'
import type { SnapshotStore } from './snapshot-store.ts'
import type { WaitOptions } from './wait-options.ts'

/** One command of the log. Never changed once made; `data` is a view that may be kept. */
export interface LogEntry {
  /**
   * Its place: rises strictly, and not always by one, since changes of members, epochs and a broker's own records take
   * places too. A safe integer.
   */
  readonly index: number
  /** The term, or the writer's epoch, in which it was appended. */
  readonly term: number
  /** Log time, ms since 1970-01-01 UTC by the clock of whoever appended it; it never goes back along the log. */
  readonly timeMs: number
  readonly data: Uint8Array
}

/** What an acknowledged append survives, in the words of a receipt. */
export type LogDurability = 'none' | 'written' | 'durable' | 'replicated' | 'quorum-durable'

/** Where the commands of one call stand. */
export interface Appended {
  readonly first: number
  readonly last: number
  /** One per command; undefined where they are `first`, `first` + 1 … `last`. */
  readonly indexes?: readonly number[]
  readonly term: number
  readonly durability: LogDurability
}

/** Entries in order. Whoever has applied them has applied everything through `through`, where there may be no entry. */
export interface ReadEntries {
  /** Empty when only the read point moved: places that hold no commands. */
  readonly entries: readonly LogEntry[]
  readonly through: number
}

/** What a reader is given: entries, or the snapshot to start again from; entries behind it follow. */
export type LogRead = ReadEntries | { readonly snapshot: SnapshotRef }

export interface ReadOptions extends WaitOptions {
  /**
   * What to do when entries that are asked for were compacted, at the start or because the reader fell behind: give the
   * `snapshot` and go on behind it (default), or `fail` with `CompactedError`, which has it.
   */
  readonly onCompacted?: 'snapshot' | 'fail'
}

/**
 * A log that all members agree on, whatever carries it. Order of calls on one member is the order in the log; what
 * several members append interleaves by call, never inside one.
 */
export interface ReplicatedLog {
  /**
   * Appends commands, all or none, one behind the other. Resolves when they are committed and durable as the receipt says.
   * Rejects with
   * - `not-leader` (`NotLeaderError`, retryable, with a hint whom to ask): nothing was appended;
   * - `overloaded` (retryable), `message-too-large`, `bad-argument` for an empty batch, `closed`: nothing was appended;
   * - `outcome-unknown` (`OutcomeUnknownError`): it may be in the log, now or later. Not a failure: whoever must not append
   *   twice reads on from what it knew, or gives commands an identity.
   *
   * A signal aborted before the call rejects with its reason; later the call ends as `outcome-unknown` with that as its cause.
   * The bytes are copied: they may be reused when the call has returned.
   */
  append(commands: readonly Uint8Array[], options?: WaitOptions): Promise<Appended>
  /**
   * Committed entries from the first at or after `from`, and then what follows, until the loop is left, the signal
   * aborted (rejects with its reason) or the log closed (ends). Begin with 0, or one past what was applied. A reader that
   * lags holds nobody back: compaction may overtake it, see `onCompacted`. Rejects with `corrupt` where stored entries are lost.
   */
  read(from: number, options?: ReadOptions): AsyncIterable<LogRead>
  /**
   * A linearizable read point: whoever has applied everything through it (see `ReadEntries.through`) sees all that was acknowledged anywhere before the
   * call. When it resolves, a reader here can reach it without waiting for others. Rejects with `not-leader` (retryable) while
   * no leader is known or it changes, with `closed`, with the signal's reason.
   */
  barrier(options?: WaitOptions): Promise<number>
  /**
   * Lets go of entries through `through`, which the snapshot must cover: `through` ≤ `snapshot.index` ≤ what is committed
   * here. Keep some entries behind the snapshot for those who are a little late. The snapshot comes from `snapshots.write()`;
   * older ones of this log are deleted. Idempotent; an older snapshot than the present one changes nothing.
   */
  compact(through: number, snapshot: SnapshotRef, options?: WaitOptions): Promise<void>
  /** Where snapshots of this log are kept. */
  readonly snapshots: SnapshotStore
  status(): LogStatus
  /** The status now, and again whenever leader, term, members or snapshot changed. Only the newest is kept for whoever is slow. */
  changes(options?: WaitOptions): AsyncIterable<LogStatus>
  readonly admin: LogAdmin
  /** Refuses new appends, waits for those accepted, hands leadership on where there is one, closes. Idempotent. */
  drain(): Promise<void>
  /** Closes promptly: appends in flight end as `outcome-unknown`, readers end. Idempotent. */
  close(): Promise<void>
}
