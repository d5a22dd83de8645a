import { type Clock, type Disk, SkeinError } from '../../core/index.ts'
import { type Log, openLog } from '../../log/index.ts'
import type { Entry } from '../../raft/index.ts'
import type { SnapshotRecord } from './snapshot-record.ts'
import { decodeWalFrame, encodeWalFrame, type WalFrame } from './wal-frame.ts'

export interface WalOptions {
  readonly disk: Disk
  readonly clock: Clock
  readonly directory: string
  readonly segmentBytes: number
}

/** What the stored log says, its superseded parts left out. */
export interface WalContents {
  readonly commit: number
  readonly entries: readonly Entry[]
  readonly snapshot: SnapshotRecord | undefined
  readonly frames: number
}

/** Where a frame lies, and the first entry it holds. */
interface FramePlace {
  readonly offset: number
  readonly firstIndex: number
}

const READ_BYTES = 4 * 1024 * 1024
const STAMP = { producerId: 0, sequence: -1, epoch: 0 } as const

/**
 * The entries, commit index and snapshots of one member on its disk: frames in a segmented log, each one batch of it. What
 * a later frame supersedes is overridden by it, never truncated.
 */
export class Wal {
  readonly #log: Log
  readonly #directory: string
  /** Of frames that hold entries which are not superseded; both numbers rise. */
  #places: FramePlace[] = []
  /** Of the newest snapshot's frame. */
  #snapshotOffset = 0

  private constructor(log: Log, directory: string) {
    this.#log = log
    this.#directory = directory
  }

  /**
   * Reads the stored log. Its torn end, which was never acknowledged, is gone already; what is damaged before the proven end
   * rejects with `corrupt`: this member has lost what it promised to keep.
   */
  static async open(options: WalOptions): Promise<{ readonly wal: Wal; readonly contents: WalContents }> {
    const { directory } = options
    const log = await openLog({ ...options, lock: false })
    try {
      const wal = new Wal(log, directory)
      return { wal, contents: await wal.#read() }
    } catch (error) {
      await log.close().catch(() => undefined)
      throw error
    }
  }

  async #read(): Promise<WalContents> {
    const { quarantined, startOffset, endOffset } = this.#log.status()
    const damaged = quarantined[0]
    if (damaged !== undefined) throw this.#lost(`${damaged.file}: ${damaged.reason}`)
    const replay = new Replay()
    for (let offset = startOffset; offset < endOffset; ) {
      const batches = await this.#log.read(offset, READ_BYTES).catch((cause: unknown) => {
        if (cause instanceof SkeinError && cause.code === 'corrupt') throw this.#lost(cause.message, cause)
        throw cause
      })
      for (const batch of batches) {
        if (batch.baseOffset !== offset) throw this.#lost(`frame ${offset} is missing`)
        const frame = decodeWalFrame(batch.body)
        if (!replay.take(frame)) throw this.#lost(`entries before ${frame.entries[0]?.index} are missing`)
        this.#note(offset, frame)
        offset = batch.lastOffset + 1
      }
      if (batches.length === 0) throw this.#lost(`frame ${offset} is missing`)
    }
    return replay.contents()
  }

  #note(offset: number, { entries, snapshot, replacesLog }: WalFrame): void {
    if (replacesLog === true) this.#places = []
    if (snapshot !== undefined) this.#snapshotOffset = offset
    const firstIndex = entries[0]?.index
    if (firstIndex === undefined) return
    while (this.#places.length > 0 && this.#places.at(-1)!.firstIndex >= firstIndex) this.#places.pop()
    this.#places.push({ offset, firstIndex })
  }

  /** Resolves when the frame is durable. Order of calls is the order on the disk. */
  async append(frame: WalFrame): Promise<void> {
    const parts = encodeWalFrame(frame)
    const records = {
      parts,
      byteLength: parts.reduce((sum, { length }) => sum + length, 0),
      count: 1,
      firstTimestampMs: 0,
      lastTimestampMs: 0,
      subjects: [],
    }
    const { baseOffset } = await this.#log.append(records, STAMP, 'durable')
    this.#note(baseOffset, frame)
  }

  /** Lets go of frames that hold only entries through `index`, and older snapshots. */
  async release(index: number): Promise<void> {
    const needed = this.#places.findLastIndex(({ firstIndex }) => firstIndex <= index + 1)
    if (needed > 0) this.#places.splice(0, needed)
    const offset = Math.min(this.#places[0]?.offset ?? Number.POSITIVE_INFINITY, this.#snapshotOffset)
    await this.#log.advanceStart(offset)
  }

  get sizeBytes(): number {
    return this.#log.status().sizeBytes
  }

  drain(): Promise<void> {
    return this.#log.drain()
  }

  close(): Promise<void> {
    return this.#log.close()
  }

  #lost(why: string, cause?: unknown): SkeinError {
    const message = `Cannot open the Raft log in ${this.#directory}: it is damaged before what it had acknowledged (${why}), so this member must not vote again; add a new one under another id and with an empty directory, which fetches everything from the others, and remove this one`
    return new SkeinError('corrupt', message, { cause })
  }
}

/** Puts frames together as they were written. */
class Replay {
  #commit = 0
  #frames = 0
  #snapshot: SnapshotRecord | undefined
  #entries: Entry[] = []

  /** False when something is missing before its entries. */
  take({ commit, entries, snapshot, replacesLog }: WalFrame): boolean {
    this.#frames += 1
    this.#commit = commit
    if (snapshot !== undefined) this.#snapshot = snapshot
    if (replacesLog === true) this.#entries = []
    const first = entries[0]?.index
    if (first === undefined) return true
    const base = this.#entries[0]?.index ?? first
    const kept = first - base
    if (kept > this.#entries.length) return false
    this.#entries.length = Math.max(0, kept)
    for (const entry of entries) this.#entries.push(entry)
    return true
  }

  contents(): WalContents {
    const snapshot = this.#snapshot
    return { commit: this.#commit, entries: this.#entries, snapshot, frames: this.#frames }
  }
}
