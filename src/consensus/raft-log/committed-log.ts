import type { Entry } from '../../raft/index.ts'
import { CompactedError } from '../errors.ts'
import type { LogRead, ReadEntries, ReadOptions } from '../replicated-log.ts'
import type { SnapshotRef } from '../snapshot-ref.ts'
import { Wake } from '../wake.ts'
import { decodeCommand } from './command-codec.ts'

const READ_ENTRIES_MAX = 4_096
const READ_BYTES_MAX = 4 * 1024 * 1024

/** The committed commands that are kept, in memory and in order, and those who read them. */
export class CommittedLog {
  /**
   * Those that are commands, as the core holds them: most are never read here again, so nothing is made of them before
   * somebody does. Their indexes have gaps where entries are no commands.
   */
  #entries: Entry[] = []
  #bytes = 0
  #compacted: number
  #committed: number
  #snapshot: SnapshotRef | undefined
  readonly #growth = new Wake()
  #isClosed = false
  #failure: Error | undefined

  /** `kept`: entries from before the snapshot's end, which come before everything else. */
  constructor(snapshot: SnapshotRef | undefined, kept: readonly Entry[]) {
    this.#snapshot = snapshot
    this.#committed = snapshot?.index ?? 0
    this.#compacted = kept[0] === undefined ? this.#committed : kept[0].index - 1
    this.#add(kept)
  }

  get firstIndex(): number {
    return this.#compacted + 1
  }

  get committed(): number {
    return this.#committed
  }

  get snapshot(): SnapshotRef | undefined {
    return this.#snapshot
  }

  get bytes(): number {
    return this.#bytes
  }

  add(entries: readonly Entry[]): void {
    this.#add(entries)
    this.#committed = entries.at(-1)!.index
    this.#growth.wake()
  }

  #add(entries: readonly Entry[]): void {
    for (const entry of entries) {
      if (entry.kind !== 'command') continue
      this.#entries.push(entry)
      this.#bytes += entry.data.length
    }
  }

  /** The snapshot stands for everything before; nothing of it is kept. */
  reset(snapshot: SnapshotRef): void {
    this.#entries = []
    this.#bytes = 0
    this.#snapshot = snapshot
    this.#compacted = snapshot.index
    this.#committed = snapshot.index
    this.#growth.wake()
  }

  compact(through: number, snapshot: SnapshotRef): void {
    const count = this.#position(through + 1)
    const kept = this.#entries.slice(count)
    // Counting goes over the smaller part: mostly little is kept beside what goes.
    if (count < kept.length) this.#bytes -= bytesOf(this.#entries.slice(0, count))
    else this.#bytes = bytesOf(kept)
    this.#entries = kept
    this.#compacted = Math.max(this.#compacted, through)
    this.#snapshot = snapshot
  }

  /** Where the first entry at or after `index` stands. */
  #position(index: number): number {
    let low = 0
    let high = this.#entries.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#entries[middle]!.index < index) low = middle + 1
      else high = middle
    }
    return low
  }

  async *read(
    from: number,
    { signal, onCompacted = 'snapshot' }: ReadOptions,
  ): AsyncGenerator<LogRead, void, undefined> {
    for (let next = Math.max(1, from); ; ) {
      signal?.throwIfAborted()
      if (this.#failure !== undefined) throw this.#failure
      if (this.#isClosed) return
      if (next <= this.#compacted) {
        const snapshot = this.#snapshot!
        if (onCompacted === 'fail') throw new CompactedError(next, snapshot)
        next = snapshot.index + 1
        yield { snapshot }
        continue
      }
      if (next > this.#committed) {
        await this.#growth.wait(signal)
        continue
      }
      const read = this.#slice(next)
      next = read.through + 1
      yield read
    }
  }

  #slice(from: number): ReadEntries {
    const start = this.#position(from)
    const limit = Math.min(this.#entries.length, start + READ_ENTRIES_MAX)
    let end = start
    for (let bytes = 0; end < limit && bytes < READ_BYTES_MAX; end += 1) bytes += this.#entries[end]!.data.length
    const through = end === this.#entries.length ? this.#committed : this.#entries[end - 1]!.index
    return { entries: this.#entries.slice(start, end).map(decodeCommand), through }
  }

  /** Readers end; with an error they reject with it. */
  close(failure?: Error): void {
    this.#isClosed = true
    this.#failure ??= failure
    this.#growth.wake()
  }
}

function bytesOf(entries: readonly Entry[]): number {
  let bytes = 0
  for (const { data } of entries) bytes += data.length
  return bytes
}
