import type { Entry, HardState } from '../../../src/raft/index.ts'
import type { SimulatedVolume } from '../../../testing/index.ts'
import { encodeFrame, type WalRecord } from './frames.ts'
import { type Recovered, WAL_PREFIX } from './recover.ts'
import { encodeSnapshot, SNAPSHOT_PREFIX, type SnapshotFile, snapshotName } from './snapshot-file.ts'
import { encodeSlot, VOTE_SLOTS } from './vote-slots.ts'

/** Writes that become durable together, as one `Ready` asks for them. */
export interface StoreBatch {
  readonly hardState: HardState | undefined
  readonly entries: readonly Entry[]
  readonly snapshot: SnapshotFile | undefined
  readonly mustSync: boolean
  /** Called in the order of the batches. */
  readonly done: () => void
}

/** What the disk holds, once the newest snapshot is taken into account. */
export interface StoredState extends Recovered {
  /** The log on the disk ends before the snapshot, or contradicts it. */
  readonly isLogSuperseded: boolean
}

interface Compaction {
  readonly snapshot: SnapshotFile
  /** Entries through this index are let go. */
  readonly through: number
  readonly done: () => void
}

type Callback = () => void

const SNAPSHOTS_KEPT = 2

/**
 * A node's disk: a log of checksummed frames that is only ever appended to, two slots for term and vote, snapshots. What
 * comes while a sync is under way is written and synced together behind it. Any error is fatal: whoever asked must stop.
 */
export class Store {
  readonly #volume: SimulatedVolume
  readonly #fail: (error: Error) => void
  readonly #waiting: StoreBatch[] = []
  readonly #compactions: Compaction[] = []
  #isBusy = false
  #walName: string
  #walEnd: number
  #walSequence: number
  /** How much of the file has been synced. */
  #provenEnd: number
  #voteSequence: number
  readonly #goodSlot: number
  #commit: number
  #startIndex: number
  #startTerm: number
  #entries: Entry[]

  constructor(volume: SimulatedVolume, found: StoredState, fail: (error: Error) => void) {
    this.#volume = volume
    this.#fail = fail
    this.#walName = found.walName
    this.#walEnd = found.walEnd
    this.#walSequence = found.walSequence
    this.#provenEnd = found.walEnd
    this.#voteSequence = found.voteSequence
    this.#goodSlot = found.goodSlot
    this.#commit = found.commit
    this.#startIndex = found.startIndex
    this.#startTerm = found.startTerm
    this.#entries = [...found.entries]
    // A crash came between a snapshot and the log that begins behind it.
    if (found.isLogSuperseded) this.#begin(() => this.#beginWal(() => this.#end([])))
  }

  /** An empty disk becomes one that starts from this state. */
  static create(
    volume: SimulatedVolume,
    state: { readonly hardState: HardState; readonly entries: readonly Entry[] },
    done: (error?: Error) => void,
  ): void {
    const { hardState, entries } = state
    const records: WalRecord[] = [
      { type: 'start', index: 0, term: 0 },
      ...entries.map((entry): WalRecord => ({ type: 'entry', entry })),
      { type: 'commit', commit: hardState.commit },
    ]
    const name = walNameOf(1)
    const slot = encodeSlot({ sequence: 0, term: hardState.term, vote: hardState.vote })
    for (const voteSlot of VOTE_SLOTS) volume.write(voteSlot, 0, slot)
    volume.write(name, 0, encodeFrame(records, { sequence: 0, provenEnd: 0 }))
    syncAll(volume, [...VOTE_SLOTS, name], (error) => {
      if (error === undefined) volume.syncDirectory(done)
      else done(error)
    })
  }

  append(batch: StoreBatch): void {
    this.#waiting.push(batch)
    this.#work()
  }

  /** Stores a snapshot of this node's own, then lets go of the log through an index: only once the snapshot is safe. */
  compact(compaction: Compaction): void {
    this.#compactions.push(compaction)
    this.#work()
  }

  #work(): void {
    if (this.#isBusy) return
    const compaction = this.#compactions.shift()
    if (compaction !== undefined) this.#begin(() => this.#takeSnapshot(compaction))
    else this.#workOnBatches()
  }

  #workOnBatches(): void {
    const [first] = this.#waiting
    if (first === undefined) return
    const { snapshot } = first
    if (snapshot !== undefined) {
      this.#waiting.shift()
      this.#begin(() => this.#install(first, snapshot))
      return
    }
    const until = this.#waiting.findIndex((batch) => batch.snapshot !== undefined)
    const group = this.#waiting.splice(0, until === -1 ? this.#waiting.length : until)
    this.#begin(() => this.#writeGroup(group))
  }

  #begin(work: Callback): void {
    this.#isBusy = true
    this.#guard(work)
  }

  /** A write that has no room ends the process, as a failed sync does. */
  #guard(work: Callback): void {
    try {
      work()
    } catch (error) {
      if ((error as { readonly code?: string }).code !== 'disk-full') throw error
      this.#fail(error as Error)
    }
  }

  #end(done: readonly Callback[]): void {
    this.#isBusy = false
    for (const callback of done) callback()
    this.#work()
  }

  /** Goes on only when a sync succeeded. A failed one is never tried again: what it left is unknown. */
  #after(next: Callback): (error?: Error) => void {
    return (error) => {
      if (error !== undefined) this.#fail(error)
      else this.#guard(next)
    }
  }

  #writeGroup(group: readonly StoreBatch[]): void {
    const hardState = group.findLast((batch) => batch.hardState !== undefined)?.hardState
    const mustSync = group.some((batch) => batch.mustSync)
    const done = group.map((batch) => batch.done)
    this.#writeVote(mustSync ? hardState : undefined, () => {
      const records: WalRecord[] = []
      for (const { entries, hardState: stated } of group) {
        for (const entry of entries) {
          this.#remember(entry)
          records.push({ type: 'entry', entry })
        }
        if (stated !== undefined) records.push({ type: 'commit', commit: stated.commit })
      }
      if (hardState !== undefined) this.#commit = hardState.commit
      if (records.length > 0) this.#writeFrame(records)
      if (!mustSync) return this.#end(done)
      this.#syncWal(() => this.#end(done))
    })
  }

  #remember(entry: Entry): void {
    this.#entries.length = Math.min(this.#entries.length, entry.index - this.#startIndex - 1)
    this.#entries.push(entry)
  }

  /** One slot after the other, and never first the one that is known to be good: a torn write must not spoil both. */
  #writeVote(hardState: HardState | undefined, next: Callback): void {
    if (hardState === undefined) {
      next()
      return
    }
    this.#voteSequence += 1
    const slot = encodeSlot({ sequence: this.#voteSequence, term: hardState.term, vote: hardState.vote })
    const first = VOTE_SLOTS[1 - this.#goodSlot]!
    const second = VOTE_SLOTS[this.#goodSlot]!
    this.#volume.write(first, 0, slot)
    const writeSecond = this.#after(() => {
      this.#volume.write(second, 0, slot)
      this.#volume.sync(second, this.#after(next))
    })
    this.#volume.sync(first, writeSecond)
  }

  #writeFrame(records: readonly WalRecord[]): void {
    const frame = encodeFrame(records, { sequence: this.#walSequence, provenEnd: this.#provenEnd })
    this.#volume.write(this.#walName, this.#walEnd, frame)
    this.#walSequence += 1
    this.#walEnd += frame.length
  }

  #syncWal(next: Callback): void {
    const end = this.#walEnd
    const done = this.#after(() => {
      this.#provenEnd = end
      next()
    })
    this.#volume.sync(this.#walName, done)
  }

  /** A snapshot from the leader takes the place of the whole log. */
  #install({ hardState, entries, done }: StoreBatch, snapshot: SnapshotFile): void {
    this.#writeVote(hardState, () =>
      this.#storeSnapshot(snapshot, () => {
        const { index, term } = snapshot.metadata
        this.#startIndex = index
        this.#startTerm = term
        this.#entries = [...entries]
        this.#commit = Math.max(hardState?.commit ?? 0, index)
        this.#beginWal(() => this.#end([done]))
      }),
    )
  }

  #takeSnapshot({ snapshot, through, done }: Compaction): void {
    this.#storeSnapshot(snapshot, () => {
      const lets = through - this.#startIndex
      if (lets <= 0 || lets > this.#entries.length) return this.#end([done])
      this.#startTerm = this.#entries[lets - 1]!.term
      this.#entries = this.#entries.slice(lets)
      this.#startIndex = through
      this.#beginWal(() => this.#end([done]))
    })
  }

  /** Written under another name, synced, renamed, and the directory synced. */
  #storeSnapshot(snapshot: SnapshotFile, next: Callback): void {
    const name = snapshotName(snapshot.metadata.index)
    this.#volume.remove(`${name}.new`)
    this.#volume.write(`${name}.new`, 0, encodeSnapshot(snapshot))
    const rename = this.#after(() => {
      this.#volume.rename(`${name}.new`, name)
      this.#volume.syncDirectory(this.#after(next))
    })
    this.#volume.sync(`${name}.new`, rename)
  }

  /** A new file with what is still needed; the old one goes when the new one is safe. */
  #beginWal(next: Callback): void {
    const old = this.#walName
    const name = walNameOf(Number(old.slice(WAL_PREFIX.length)) + 1)
    const records: WalRecord[] = [
      { type: 'start', index: this.#startIndex, term: this.#startTerm },
      ...this.#entries.map((entry): WalRecord => ({ type: 'entry', entry })),
      { type: 'commit', commit: this.#commit },
    ]
    const frame = encodeFrame(records, { sequence: 0, provenEnd: 0 })
    this.#volume.write(`${name}.new`, 0, frame)
    const renamed = this.#after(() => {
      this.#walName = name
      this.#walEnd = frame.length
      this.#provenEnd = frame.length
      this.#walSequence = 1
      this.#volume.remove(old)
      this.#removeOldSnapshots()
      next()
    })
    const written = this.#after(() => {
      this.#volume.rename(`${name}.new`, name)
      this.#volume.syncDirectory(renamed)
    })
    this.#volume.sync(`${name}.new`, written)
  }

  #removeOldSnapshots(): void {
    const names = this.#volume.names().filter((name) => name.startsWith(SNAPSHOT_PREFIX) && !name.endsWith('.new'))
    for (const name of names.slice(0, -SNAPSHOTS_KEPT)) this.#volume.remove(name)
  }
}

function walNameOf(number: number): string {
  return `${WAL_PREFIX}${String(number).padStart(8, '0')}`
}

function syncAll(volume: SimulatedVolume, names: readonly string[], done: (error?: Error) => void): void {
  const [name, ...rest] = names
  if (name === undefined) done()
  else volume.sync(name, (error) => (error === undefined ? syncAll(volume, rest, done) : done(error)))
}
