import { type Clock, type Disk, SkeinError } from '../../core/index.ts'
import { type Log, openLog, RecordBatchBuilder, recordCursor } from '../../log/index.ts'
import type { NodeTime } from '../ports.ts'
import { decodeChange, encodeChange, type InboxChange } from './inbox-change.ts'
import type { InboxStore } from './inbox-store.ts'
import { type InboxJournal, JournaledInbox } from './journaled-inbox.ts'

export interface LocalInboxOptions {
  readonly disk: Disk
  readonly clock: Clock
  readonly nodeTime: NodeTime
  /** Taken for this process alone. */
  readonly directory: string
  /** Commands remembered at once. Default 100,000. */
  readonly rowsMax?: number
  /** How long a row outlives its deadline and the clock error. Default 60,000. */
  readonly graceMs?: number
}

export interface LocalInbox extends InboxStore {
  /** The newest epoch under which an agent began to keep its inbox here. */
  sessionOf(agentId: string): number | undefined
}

/**
 * The inbox of an agent that has a disk: every claim and outcome is synced before it counts. Rejects with `locked` when
 * another process has it, with `corrupt` when a part cannot be read: what is in it may have run already, so an operator
 * decides.
 */
export async function openLocalInbox(options: LocalInboxOptions): Promise<LocalInbox> {
  const { disk, clock, directory, nodeTime, rowsMax = 100_000, graceMs = 60_000 } = options
  const log = await openLog({ disk, clock, directory, segmentBytes: SEGMENT_BYTES })
  const journal = new LogJournal(log, clock)
  const inbox = new JournaledInbox({ clock, nodeTime, rowsMax, graceMs, journal })
  try {
    await readAll(log, (change) => inbox.restore(change))
  } catch (cause) {
    await log.close()
    throw unreadable(directory, cause)
  }
  journal.snapshotOf(inbox)
  return inbox
}

const SEGMENT_BYTES = 1024 * 1024
const READ_BYTES = 1024 * 1024
/** Changes written before the log is begun anew with what is remembered, and at least four times as many as that. */
const SNAPSHOT_MIN = 20_000
const SNAPSHOT_CHUNK = 500
const NOTES_MAX = 1_000

async function readAll(log: Log, fold: (change: InboxChange) => void): Promise<void> {
  let from = log.startOffset
  while (from < log.endOffset) {
    const batches = await log.read(from, READ_BYTES)
    if (batches.length === 0) return
    for (const batch of batches) {
      const cursor = recordCursor(batch.body, batch.baseOffset, batch.firstTimestampMs)
      while (cursor.next()) if (cursor.offset >= from) fold(decodeChange(cursor.valueText()))
      from = batch.lastOffset + 1
    }
  }
}

/** Appends changes to a log; now and then writes all that is remembered once more and lets go of what is before. */
class LogJournal implements InboxJournal {
  readonly #log: Log
  readonly #clock: Clock
  #inbox: JournaledInbox | undefined
  #notes: InboxChange[] = []
  #sinceSnapshot = 0
  /** Everything before it has been applied: a snapshot taken now holds it. */
  #appliedThrough: number
  #snapshotting: Promise<void> | undefined

  constructor(log: Log, clock: Clock) {
    this.#log = log
    this.#clock = clock
    this.#appliedThrough = log.endOffset
  }

  snapshotOf(inbox: JournaledInbox): void {
    this.#inbox = inbox
  }

  async append(changes: readonly InboxChange[], applied: () => void): Promise<void> {
    const notes = this.#notes
    this.#notes = []
    const { lastOffset } = await this.#write([...notes, ...changes])
    applied()
    // Appends of one log resolve in the order of their calls, so there is no gap before this one.
    this.#appliedThrough = lastOffset + 1
    this.#sinceSnapshot += changes.length
    this.#snapshotWhenDue()
  }

  note(change: InboxChange): void {
    this.#notes.push(change)
    if (this.#notes.length >= NOTES_MAX) this.append([], () => {}).catch(() => {})
  }

  async close(): Promise<void> {
    if (this.#notes.length > 0) await this.append([], () => {}).catch(() => {})
    await this.#snapshotting
    await this.#log.drain()
  }

  #write(changes: readonly InboxChange[]) {
    const builder = new RecordBatchBuilder()
    const timestampMs = this.#clock.nowMs()
    for (const change of changes) builder.add({ subject: 'inbox', value: encodeChange(change), timestampMs })
    return this.#log.append(builder.finish(), { producerId: 0, sequence: -1, epoch: 0 }, 'durable')
  }

  #snapshotWhenDue(): void {
    const inbox = this.#inbox
    if (inbox === undefined || this.#snapshotting !== undefined) return
    if (this.#sinceSnapshot < Math.max(SNAPSHOT_MIN, 4 * inbox.size)) return
    this.#sinceSnapshot = 0
    const before = this.#appliedThrough
    // A failure leaves the log longer than it must be; whatever failed shows itself at the next claim.
    this.#snapshotting = this.#writeSnapshot(inbox.snapshot(), before)
      .catch(() => {})
      .finally(() => {
        this.#snapshotting = undefined
      })
  }

  async #writeSnapshot(changes: readonly InboxChange[], before: number): Promise<void> {
    for (let start = 0; start < changes.length; start += SNAPSHOT_CHUNK) {
      await this.#write(changes.slice(start, start + SNAPSHOT_CHUNK))
    }
    await this.#log.advanceStart(before)
  }
}

function unreadable(directory: string, cause: unknown): SkeinError {
  if (cause instanceof SkeinError && cause.code !== 'corrupt') return cause
  const message = cause instanceof Error ? cause.message : String(cause)
  return new SkeinError(
    'corrupt',
    `Cannot open the inbox in ${directory}: ${message}. Commands it remembers may have run; move the directory away ` +
      'once no command older than it can arrive any more',
    { cause },
  )
}
