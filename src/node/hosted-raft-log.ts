import type { LogEntry, LogStatus, RaftLog, SnapshotRef } from '../consensus/index.ts'
import type { HostedLog, LogPage } from '../gateway/http/index.ts'
import { decodeEntries, encodeEntries } from './entries-in-snapshot.ts'

/**
 * A replicated log that clients of this node use over HTTP. Nobody folds its commands into a state: its snapshots hold the
 * commands themselves, so nothing is lost by taking one.
 */
export class HostedRaftLog implements HostedLog {
  readonly log: RaftLog
  readonly #urls: ReadonlyMap<string, string>
  #snapshots: Promise<unknown> = Promise.resolve()

  constructor(log: RaftLog, urls: ReadonlyMap<string, string>) {
    this.log = log
    this.#urls = urls
  }

  get status(): LogStatus {
    return this.log.status()
  }

  connections(): unknown {
    const { peers, malformed, refused } = this.log.connections()
    const told = peers.map(({ error, ...peer }) => ({
      ...peer,
      ...(error && { error: { code: error.code, message: error.message } }),
    }))
    return { peers: told, malformed, refused }
  }

  urlOf(member: string): string | undefined {
    return this.#urls.get(member)
  }

  async page(
    from: number,
    options: { readonly max: number; readonly through: number; readonly signal: AbortSignal },
  ): Promise<LogPage> {
    const { max, through, signal } = options
    let next = from
    for await (const batch of this.#from(from, signal)) {
      const entries = batch.entries.filter(({ index }) => index >= from).slice(0, max)
      next = entries.length === max ? entries.at(-1)!.index + 1 : batch.through + 1
      if (entries.length > 0 || batch.through >= through) return { entries, next }
    }
    return { entries: [], next }
  }

  takeSnapshot(keep: number): Promise<SnapshotRef | undefined> {
    const taken = this.#snapshots.then(() => this.#takeSnapshot(keep))
    this.#snapshots = taken.catch(() => undefined)
    return taken
  }

  async #takeSnapshot(keep: number): Promise<SnapshotRef | undefined> {
    const { committedIndex, snapshot: before } = this.log.status()
    if (before?.index === committedIndex) return undefined
    let timeMs = before?.timeMs ?? 0
    for await (const { entries } of this.#through(committedIndex, (before?.index ?? 0) + 1)) {
      timeMs = entries.at(-1)?.timeMs ?? timeMs
    }
    const state = encodeEntries(entriesOf(this.#through(committedIndex, 0)))
    const snapshot = await this.log.snapshots.write({ index: committedIndex, timeMs }, state)
    await this.log.compact(Math.max(0, committedIndex - keep), snapshot)
    return snapshot
  }

  /** All commands through an index that is committed. */
  async *#through(end: number, from: number): AsyncGenerator<Batch> {
    if (from > end) return
    for await (const batch of this.#from(from, undefined)) {
      yield { ...batch, entries: batch.entries.filter(({ index }) => index <= end) }
      if (batch.through >= end) return
    }
  }

  /** Entries as they are read, those in a snapshot taken out of it. */
  async *#from(from: number, signal: AbortSignal | undefined): AsyncGenerator<Batch> {
    for await (const read of this.log.read(from, signal === undefined ? {} : { signal })) {
      if ('entries' in read) yield read
      else yield* this.#inSnapshot(read.snapshot, from)
    }
  }

  async *#inSnapshot(snapshot: SnapshotRef, from: number): AsyncGenerator<Batch> {
    let entries: LogEntry[] = []
    for await (const entry of decodeEntries(this.log.snapshots.read(snapshot))) {
      if (entry.index < from) continue
      entries.push(entry)
      if (entries.length < BATCH_ENTRIES) continue
      yield { entries, through: entry.index }
      entries = []
    }
    yield { entries, through: snapshot.index }
  }
}

interface Batch {
  readonly entries: readonly LogEntry[]
  readonly through: number
}

const BATCH_ENTRIES = 1_000

async function* entriesOf(batches: AsyncIterable<Batch>): AsyncGenerator<readonly LogEntry[]> {
  for await (const { entries } of batches) yield entries
}
