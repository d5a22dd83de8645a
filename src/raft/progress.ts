import { type InflightLimits, InflightWindow } from './inflight-window.ts'

/**
 * - `probe`: it is not known where the logs agree; one append at a time;
 * - `replicate`: appends are sent ahead of their acknowledgments, as far as the window allows;
 * - `snapshot`: nothing is sent until the snapshot has arrived or failed.
 */
export type ProgressState = 'probe' | 'replicate' | 'snapshot'

/** What a leader knows of one peer's log, and what it may send next. `match < next` always. */
export class Progress {
  readonly inflight: InflightWindow
  #state: ProgressState = 'probe'
  #match = 0
  #next: number
  #paused = false
  #pendingSnapshot = 0
  #sentCommit = 0
  #mustProbe = false
  /** It was heard since the last check of the quorum. */
  recentlyActive = false
  /** The newest round of reads that it confirmed. */
  readRound = 0

  constructor(limits: InflightLimits, next = 1) {
    this.inflight = new InflightWindow(limits)
    this.#next = next
  }

  get state(): ProgressState {
    return this.#state
  }

  /** The last index known to be durable there and equal to the leader's. */
  get match(): number {
    return this.#match
  }

  /** The next index to be sent. */
  get next(): number {
    return this.#next
  }

  /** The index of the snapshot on its way, else 0. */
  get pendingSnapshot(): number {
    return this.#pendingSnapshot
  }

  /** No entries may be sent now. */
  get paused(): boolean {
    if (this.#state === 'replicate') return this.inflight.full
    return this.#state === 'snapshot' || this.#paused
  }

  /** An append without entries would help: the peer answered a heartbeat and may have lost what was sent. */
  get mustProbe(): boolean {
    return this.#mustProbe && this.#state !== 'snapshot'
  }

  /** The peer could commit more than it was told. */
  needsCommit(commit: number): boolean {
    return this.#state === 'replicate' && commit > this.#sentCommit && this.#sentCommit < this.#next - 1
  }

  /** A new leader knows nothing of its peers' logs. */
  restart(next: number): void {
    this.#reset('probe')
    this.#match = 0
    this.#next = next
    this.#sentCommit = 0
    this.recentlyActive = false
    this.readRound = 0
  }

  becomeProbe(): void {
    const pending = this.#pendingSnapshot
    this.#reset('probe')
    this.#next = Math.max(this.#match, pending) + 1
    this.#sentCommit = Math.min(this.#sentCommit, this.#next - 1)
  }

  becomeReplicate(): void {
    this.#reset('replicate')
    this.#next = this.#match + 1
    this.#sentCommit = Math.min(this.#sentCommit, this.#match)
  }

  becomeSnapshot(index: number): void {
    this.#reset('snapshot')
    this.#pendingSnapshot = index
    this.#next = Math.max(index, this.#match) + 1
    this.#sentCommit = index
  }

  /** An append of `count` entries and `bytes` bytes was sent, telling of `commit`. */
  sent(count: number, append: { readonly bytes: number; readonly commit: number }): void {
    this.#mustProbe = false
    if (this.#state === 'probe') this.#paused = true
    else if (count > 0) {
      this.#next += count
      this.inflight.add(this.#next - 1, append.bytes)
    }
    this.#sentCommit = Math.min(append.commit, this.#next - 1)
  }

  /** The peer acknowledged everything through `index`; false when that is no news. */
  accepted(index: number): boolean {
    if (this.#state === 'replicate') this.inflight.freeThrough(index)
    if (index < this.#match) return false
    const isNews = index > this.#match || this.#state === 'probe'
    this.#match = index
    this.#next = Math.max(this.#next, index + 1)
    if (isNews) this.#paused = false
    return isNews
  }

  /** The peer refused an append behind `index`; `hint` is where to try. False when the refusal is out of date. */
  rejected(index: number, hint: number): boolean {
    if (this.#state === 'snapshot') return false
    if (this.#state === 'replicate') {
      if (index <= this.#match) return false
      this.becomeProbe()
      this.#next = Math.max(Math.min(index, hint + 1), this.#match + 1)
      return true
    }
    if (this.#next - 1 !== index) return false
    this.#next = Math.max(Math.min(index, hint + 1), this.#match + 1)
    this.#sentCommit = Math.min(this.#sentCommit, this.#next - 1)
    this.#paused = false
    return true
  }

  /** The peer answered a heartbeat: it lives, and what it did not acknowledge by now may be lost. */
  heartbeatAnswered(lastIndex: number): void {
    this.#paused = false
    this.#mustProbe = this.#match < lastIndex || this.#state === 'probe'
  }

  /** The snapshot on its way arrived, or was lost; either way the next heartbeat's answer shows where to go on. */
  snapshotEnded(ok: boolean): void {
    if (!ok) this.#pendingSnapshot = 0
    this.becomeProbe()
    this.#paused = true
  }

  #reset(state: ProgressState): void {
    this.#state = state
    this.#paused = false
    this.#pendingSnapshot = 0
    this.#mustProbe = false
    this.inflight.clear()
  }
}
