import { type Clock, ClosedError, SkeinError, type Timer } from '../../core/index.ts'
import type { Entry, HardState } from '../../raft/index.ts'
import type { SnapshotRecord } from './snapshot-record.ts'
import type { VoteSlots } from './vote-slots.ts'
import type { Wal } from './wal.ts'
import type { WalFrame } from './wal-frame.ts'

/** What one `Ready` asks to be stored. */
export interface PersistRequest {
  readonly hardState: HardState | undefined
  readonly entries: readonly Entry[]
  /** In the place of the whole log, before the entries. */
  readonly installed: SnapshotRecord | undefined
  readonly mustSync: boolean
  /** Called when it is durable, in the order of the requests. */
  readonly done: () => void
}

export interface PersisterOptions {
  readonly clock: Clock
  readonly wal: Wal
  readonly votes: VoteSlots
  readonly hardState: HardState
  /** Of the stored snapshot, or 0. */
  readonly snapshotIndex: number
  /** A write failed for good: nothing is stored any more. */
  readonly onFailed: (error: Error) => void
}

interface Group {
  readonly done: Array<() => void>
  entries: Entry[]
  installed: SnapshotRecord | undefined
  /** This member's own snapshot, whose log before it is about to be let go. */
  taken: SnapshotRecord | undefined
  mustWrite: boolean
}

/** How long a commit index that nobody relies on may be known in memory only. */
const COMMIT_WITHIN_MS = 200
const FULL_DISK_RETRY_MS = 250

/**
 * Stores what the core hands out. One group is on its way to the disk, as one frame and one sync; all that comes meanwhile
 * is the next. Term and vote are durable before the entries that come with them.
 */
export class Persister {
  readonly #options: PersisterOptions
  #group: Group = emptyGroup()
  #vote: { readonly term: number; readonly vote: number }
  #commit: number
  /** Of the newest snapshot that was handed over to be stored. */
  #snapshotIndex: number
  #writtenCommit: number
  #running: Promise<void> | undefined
  #commitTimer: Timer | undefined
  #isFull = false
  #isStopped = false
  #refuseSnapshot: () => void = () => undefined

  constructor(options: PersisterOptions) {
    this.#options = options
    const { term, vote, commit } = options.hardState
    this.#vote = { term, vote }
    this.#commit = commit
    this.#writtenCommit = commit
    this.#snapshotIndex = options.snapshotIndex
  }

  /** The disk had no room for the last group, which waits for it. */
  get isFull(): boolean {
    return this.#isFull
  }

  store({ hardState, entries, installed, mustSync, done }: PersistRequest): void {
    const group = this.#group
    if (hardState !== undefined) {
      this.#vote = { term: hardState.term, vote: hardState.vote }
      this.#commit = hardState.commit
    }
    if (installed !== undefined) {
      this.#snapshotIndex = installed.metadata.index
      group.installed = installed
      group.entries = []
    }
    if (entries.length > 0) addEntries(group, entries)
    group.done.push(done)
    group.mustWrite ||= mustSync
    if (group.mustWrite || this.#running !== undefined) this.#start()
    else this.#release()
  }

  /**
   * Resolves when it is noted durably that the snapshot stands for the log before it; to false when one from the leader has
   * overtaken it, which it must not take the place of. Rejects with `closed`.
   */
  noteSnapshot(record: SnapshotRecord): Promise<boolean> {
    if (record.metadata.index <= this.#snapshotIndex) return Promise.resolve(false)
    this.#snapshotIndex = record.metadata.index
    const { promise, resolve, reject } = Promise.withResolvers<boolean>()
    this.#refuseSnapshot = () => reject(new ClosedError('the log of this Raft member'))
    if (this.#isStopped) this.#refuseSnapshot()
    this.#group.taken = record
    this.#group.done.push(() => resolve(true))
    this.#group.mustWrite = true
    this.#start()
    return promise
  }

  /** Nothing to be stored: only the commit index may have moved, on which nobody relies. */
  #release(): void {
    const { done } = this.#group
    this.#group = emptyGroup()
    for (const call of done) call()
    if (this.#commit === this.#writtenCommit || this.#commitTimer !== undefined) return
    this.#commitTimer = this.#options.clock.setTimer(() => {
      this.#commitTimer = undefined
      if (this.#commit === this.#writtenCommit) return
      this.#group.mustWrite = true
      this.#start()
    }, COMMIT_WITHIN_MS)
  }

  #start(): void {
    if (this.#running !== undefined || this.#isStopped) return
    this.#running = this.#run().finally(() => {
      this.#running = undefined
    })
  }

  async #run(): Promise<void> {
    while (!this.#isStopped && (this.#group.mustWrite || this.#group.done.length > 0)) {
      const group = this.#group
      this.#group = emptyGroup()
      try {
        if (group.mustWrite) await this.#write(group)
      } catch (error) {
        this.#isStopped = true
        this.#refuseSnapshot()
        this.#options.onFailed(error as Error)
        return
      }
      for (const call of group.done) call()
    }
  }

  async #write(group: Group): Promise<void> {
    const { votes, wal } = this.#options
    const vote = this.#vote
    const commit = this.#commit
    if (vote.term !== votes.vote.term || vote.vote !== votes.vote.vote) await votes.write(vote)
    const { entries, installed, taken } = group
    // One of its own that a later one has overtaken is of no use any more.
    const snapshot = installed ?? taken
    await this.#append(wal, { commit, entries, snapshot, replacesLog: installed !== undefined })
    this.#writtenCommit = commit
  }

  /** A full disk has kept nothing of the frame: the same is tried until there is room. Anything else is for good. */
  async #append(wal: Wal, frame: WalFrame): Promise<void> {
    for (;;) {
      try {
        await wal.append(frame)
        this.#isFull = false
        return
      } catch (error) {
        const isFull = error instanceof SkeinError && error.code === 'disk-full'
        if (!isFull || this.#isStopped) throw error
        this.#isFull = true
        await this.#options.clock.sleep(FULL_DISK_RETRY_MS)
      }
    }
  }

  /** Takes nothing more; resolves when nothing is being written. */
  async stop(): Promise<void> {
    this.#isStopped = true
    this.#commitTimer?.cancel()
    await this.#running
    this.#refuseSnapshot()
  }
}

function emptyGroup(): Group {
  return { done: [], entries: [], installed: undefined, taken: undefined, mustWrite: false }
}

/** Later entries take the place of those they supersede. */
function addEntries(group: Group, entries: readonly Entry[]): void {
  const first = group.entries[0]?.index
  if (first === undefined) {
    group.entries = [...entries]
    return
  }
  group.entries.length = Math.max(0, Math.min(group.entries.length, entries[0]!.index - first))
  for (const entry of entries) group.entries.push(entry)
}
