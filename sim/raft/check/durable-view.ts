import type { SimulatedVolume } from '../../../testing/index.ts'
import { type Frame, readFrames } from '../member/frames.ts'
import { WAL_PREFIX } from '../member/recover.ts'
import { decodeSnapshot, SNAPSHOT_PREFIX } from '../member/snapshot-file.ts'
import { newestVote, VOTE_SLOTS } from '../member/vote-slots.ts'
import { LogMirror } from './log-mirror.ts'

/**
 * What a node would find after losing its power now, read from the bytes on its disk. Only what was added since the last
 * look is read again, unless the file changed otherwise.
 */
export class DurableView {
  readonly log = new LogMirror()
  commit = 0
  readonly #volume: SimulatedVolume
  #walName = ''
  #walEnd = 0
  #sequence = 0
  #isStale = false
  #snapshotName = ''
  #snapshotIndex = 0

  constructor(volume: SimulatedVolume) {
    this.#volume = volume
  }

  /** After a crash or damage everything is read again. */
  invalidate(): void {
    this.#isStale = true
    this.#snapshotName = '?'
  }

  get vote(): { readonly term: number; readonly vote: number } | undefined {
    return newestVote(VOTE_SLOTS.map((name) => this.#volume.durable(name)))
  }

  /** Index of the newest whole snapshot; 0 without. */
  get snapshotIndex(): number {
    const names = this.#names(SNAPSHOT_PREFIX)
    const newest = names.at(-1) ?? ''
    if (newest === this.#snapshotName && !this.#isStale) return this.#snapshotIndex
    this.#snapshotName = newest
    this.#snapshotIndex = 0
    for (const name of names.reverse()) {
      const snapshot = decodeSnapshot(this.#volume.durable(name))
      if (snapshot === undefined) continue
      this.#snapshotIndex = snapshot.metadata.index
      break
    }
    return this.#snapshotIndex
  }

  /** Whether this very entry is on the disk, or a snapshot that stands for it. */
  has(index: number, term: number): boolean {
    this.refresh()
    return this.log.term(index) === term || index <= this.snapshotIndex
  }

  refresh(): void {
    const name = this.#names(WAL_PREFIX).at(-1) ?? ''
    if (name !== this.#walName || this.#isStale) this.#restart(name)
    const bytes = this.#volume.durable(name)
    if (bytes === undefined || bytes.length <= this.#walEnd) return
    for (const frame of readFrames(bytes, this.#walEnd, this.#sequence)) this.#take(frame)
  }

  #names(prefix: string): string[] {
    return this.#volume.durableNames().filter((name) => name.startsWith(prefix) && !name.endsWith('.new'))
  }

  #restart(name: string): void {
    this.#walName = name
    this.#walEnd = 0
    this.#sequence = 0
    this.#isStale = false
    this.commit = 0
    this.log.restart(0, 0)
  }

  #take(frame: Frame): void {
    this.#walEnd = frame.end
    this.#sequence += 1
    for (const record of frame.records) {
      if (record.type === 'start') this.log.restart(record.index, record.term)
      else if (record.type === 'commit') this.commit = record.commit
      else this.log.put(record.entry)
    }
  }
}
