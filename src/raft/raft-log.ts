import { assert } from '../core/index.ts'
import { corruptState } from './check-initial-state.ts'
import { type Entry, entryBytes } from './entry.ts'
import type { InitialState } from './raft-options.ts'
import type { SnapshotMetadata } from './snapshot-metadata.ts'

const NO_ENTRIES: readonly Entry[] = []

/**
 * The log as its node sees it: from the entry behind the compacted ones to the last, durable or not. All of it is in
 * memory. Its marks, in order: compacted ≤ snapshot ≤ applied ≤ commit ≤ last, and handed ≤ last: what was given out to be
 * stored. What is durable of it, `stable`, only `stableThrough` moves up and only truncation moves down.
 */
export class RaftLog {
  #entries: Entry[]
  /** The entry before the first that is held: its term is still known, so that a peer that ends there can go on. */
  #compactedIndex: number
  #compactedTerm: number
  #snapshot: SnapshotMetadata | undefined
  #pendingSnapshot: SnapshotMetadata | undefined
  #handed: number
  #stable: number
  #commit: number

  constructor(state: InitialState) {
    const { entries = NO_ENTRIES, snapshot } = state
    const snapshotIndex = snapshot?.index ?? 0
    this.#entries = [...entries]
    this.#snapshot = snapshot
    this.#compactedIndex = (entries[0]?.index ?? snapshotIndex + 1) - 1
    // Of an entry before the first one only the snapshot's own term is known; `#dropFirst` sees to the others.
    this.#compactedTerm = this.#compactedIndex === snapshotIndex ? (snapshot?.term ?? 0) : 0
    // What was applied was committed, though the disk may not have been told of it.
    this.#commit = Math.max(state.hardState?.commit ?? 0, snapshotIndex, state.applied ?? 0)
    checkStored(this.#entries, { after: this.#compactedIndex, commit: this.#commit, snapshot })
    if (this.#compactedIndex > 0 && this.#compactedIndex < snapshotIndex) this.#dropFirst()
    this.#handed = this.lastIndex
    this.#stable = this.lastIndex
  }

  /** The term before the first entry is not known: that entry takes the place, and is held no more. */
  #dropFirst(): void {
    const first = this.#entries.shift()!
    this.#compactedIndex = first.index
    this.#compactedTerm = first.term
  }

  get firstIndex(): number {
    return this.#compactedIndex + 1
  }

  get lastIndex(): number {
    return this.#compactedIndex + this.#entries.length
  }

  get lastTerm(): number {
    return this.#entries.at(-1)?.term ?? this.#compactedTerm
  }

  get commit(): number {
    return this.#commit
  }

  get stable(): number {
    return this.#stable
  }

  get snapshot(): SnapshotMetadata | undefined {
    return this.#snapshot
  }

  /** A snapshot that came from the leader and was not yet handed out. */
  get pendingSnapshot(): SnapshotMetadata | undefined {
    return this.#pendingSnapshot
  }

  /** Whether something waits to be handed out to be stored. */
  get hasUnhanded(): boolean {
    return this.#handed < this.lastIndex || this.#pendingSnapshot !== undefined
  }

  /** The term of an entry; undefined where it is compacted or beyond the end. 0 at index 0. */
  term(index: number): number | undefined {
    if (index === this.#compactedIndex) return this.#compactedTerm
    return this.#entries[index - this.#compactedIndex - 1]?.term
  }

  /** Whether the log has this very entry. */
  matches(index: number, term: number): boolean {
    return this.term(index) === term
  }

  /** Whether a log with this last entry has everything this one may have committed (paper, 5.4.1). */
  isUpToDate(lastIndex: number, lastTerm: number): boolean {
    return lastTerm > this.lastTerm || (lastTerm === this.lastTerm && lastIndex >= this.lastIndex)
  }

  /** Entries from `from` on, as many as fit into `bytesMax` but at least one, none behind `through`. */
  slice(from: number, limits: { readonly bytesMax: number; readonly through?: number }): readonly Entry[] {
    const through = Math.min(limits.through ?? this.lastIndex, this.lastIndex)
    const start = from - this.#compactedIndex - 1
    const count = through - from + 1
    assert(start >= 0, `entry ${from} is compacted`)
    if (count <= 0) return NO_ENTRIES
    let end = start
    for (let bytes = 0; end < start + count; end += 1) {
      bytes += entryBytes(this.#entries[end]!)
      if (bytes > limits.bytesMax && end > start) break
    }
    return this.#entries.slice(start, end)
  }

  /** Bytes of the application's own data in entries `from` to `through`. */
  dataBytes(from: number, through: number): number {
    let bytes = 0
    for (let index = from; index <= through; index += 1) {
      bytes += this.#entries[index - this.#compactedIndex - 1]?.data.length ?? 0
    }
    return bytes
  }

  hasConfigEntry(from: number, through: number): boolean {
    for (let index = Math.max(from, this.firstIndex); index <= through; index += 1) {
      if (this.#entries[index - this.#compactedIndex - 1]?.kind === 'config') return true
    }
    return false
  }

  /** Appends new entries of this node's own term. */
  append(entries: readonly Entry[]): void {
    for (const entry of entries) this.#entries.push(entry)
  }

  /**
   * Takes in entries that follow one that matches. What is there already stays, even if the message is older and
   * shorter than the log (paper, 5.3: only a real conflict truncates). Returns what the log was cut back to, if it was.
   */
  merge(entries: readonly Entry[]): number | undefined {
    let at = 0
    while (at < entries.length && this.matches(entries[at]!.index, entries[at]!.term)) at += 1
    if (at === entries.length) return undefined
    const first = entries[at]!.index
    let cut: number | undefined
    if (first <= this.lastIndex) {
      assert(first > this.#commit, `entry ${first} is committed, and a leader replaces it`)
      cut = first - 1
      this.#truncate(cut)
    }
    for (; at < entries.length; at += 1) this.#entries.push(entries[at]!)
    return cut
  }

  #truncate(through: number): void {
    this.#entries.length = through - this.#compactedIndex
    this.#handed = Math.min(this.#handed, through)
    this.#stable = Math.min(this.#stable, through)
  }

  /** Where a log that has `term` at `index` may still agree with this one: the last entry at or before it with no later term. */
  lastIndexWithTerm(index: number, term: number): { readonly index: number; readonly term: number } {
    let low = this.#compactedIndex
    let high = Math.min(index, this.lastIndex)
    if (high < low) return { index: high, term: 0 }
    if (this.#compactedTerm > term) return { index: low - 1, term: 0 }
    // Terms never fall along a log.
    while (low < high) {
      const middle = Math.ceil((low + high) / 2)
      if (this.term(middle)! <= term) low = middle
      else high = middle - 1
    }
    return { index: low, term: this.term(low)! }
  }

  /** Moves the commit index up; true when it moved. */
  commitTo(index: number): boolean {
    if (index <= this.#commit) return false
    assert(
      index <= this.lastIndex,
      `entry ${index} is committed, but the log ends at ${this.lastIndex}: it lost entries`,
    )
    this.#commit = index
    return true
  }

  /** What is to be stored next; from then on it counts as handed out. */
  takeUnhanded(): { readonly entries: readonly Entry[]; readonly snapshot: SnapshotMetadata | undefined } {
    const entries =
      this.#handed === this.lastIndex ? NO_ENTRIES : this.#entries.slice(this.#handed - this.#compactedIndex)
    const snapshot = this.#pendingSnapshot
    this.#handed = this.lastIndex
    this.#pendingSnapshot = undefined
    return { entries, snapshot }
  }

  /** Everything through `index` of this very log is durable. */
  stableThrough(index: number): void {
    this.#stable = Math.max(this.#stable, index)
  }

  /** Replaces the log by a snapshot of the leader's. Returns through where the stored log is still part of this one. */
  restore(snapshot: SnapshotMetadata): number {
    const common = this.#commit
    this.#entries = []
    this.#compactedIndex = snapshot.index
    this.#compactedTerm = snapshot.term
    this.#snapshot = snapshot
    this.#pendingSnapshot = snapshot
    this.#handed = snapshot.index
    this.#stable = Math.min(this.#stable, common)
    this.#commit = snapshot.index
    return common
  }

  snapshotTaken(snapshot: SnapshotMetadata): void {
    if (snapshot.index > (this.#snapshot?.index ?? 0)) this.#snapshot = snapshot
  }

  /** Forgets entries through `index`. */
  compact(index: number): void {
    if (index <= this.#compactedIndex) return
    const term = this.term(index)
    assert(term !== undefined, `entry ${index} is not in the log`)
    this.#entries = this.#entries.slice(index - this.#compactedIndex)
    this.#compactedIndex = index
    this.#compactedTerm = term
  }
}

function checkStored(
  entries: readonly Entry[],
  state: { readonly after: number; readonly commit: number; readonly snapshot: SnapshotMetadata | undefined },
): void {
  const { after, commit, snapshot } = state
  const last = after + entries.length
  if (after > (snapshot?.index ?? 0)) throw corruptState(`the log begins at ${after + 1}, which no snapshot leads to`)
  if (commit > last) throw corruptState(`entry ${commit} was committed, but the log ends at ${last}`)
  const covered = snapshot === undefined ? undefined : entries[snapshot.index - after - 1]
  if (covered !== undefined && covered.term !== snapshot?.term) throw corruptState('snapshot and log disagree')
  for (const [at, entry] of entries.entries()) {
    const before = entries[at - 1]
    if (entry.index !== after + 1 + at)
      throw corruptState(`entry ${entry.index} stands where ${after + 1 + at} belongs`)
    if (entry.term < (before?.term ?? 1))
      throw corruptState(`entry ${entry.index} is of an earlier term than the one before`)
  }
}
