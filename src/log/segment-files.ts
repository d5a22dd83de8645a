import type { Disk, DiskFile } from '../core/index.ts'
import type { Segment } from './segment.ts'

interface Open {
  readonly file: Promise<DiskFile>
  users: number
}

/** Open files kept for the next read; more than this are closed when nobody uses them. */
const KEPT = 4

/** The segments' files of one log: opened when needed, shared by readers, few kept open. */
export class SegmentFiles {
  readonly #disk: Disk
  readonly #directory: string
  readonly #open = new Map<Segment, Open>()

  constructor(disk: Disk, directory: string) {
    this.#disk = disk
    this.#directory = directory
  }

  /** Runs `work` with the segment's file. A file that was replaced or removed meanwhile is read as it was. */
  async use<T>(segment: Segment, work: (file: DiskFile) => Promise<T>): Promise<T> {
    let open = this.#open.get(segment)
    if (open === undefined) open = { file: this.#disk.open(`${this.#directory}/${segment.file}`, 'read'), users: 0 }
    // Set anew each time: the map's order is the order of last use.
    this.#open.delete(segment)
    this.#open.set(segment, open)
    open.users += 1
    try {
      return await work(await open.file)
    } catch (error) {
      // An opening that failed must not be what the next one gets.
      await open.file.catch(() => this.#open.delete(segment))
      throw error
    } finally {
      open.users -= 1
      if (this.#open.size > KEPT) await this.#closeIdle()
    }
  }

  /** Hands a file in that is open already: the one being written. It stays open until `forget` or `close`. */
  adopt(segment: Segment, file: DiskFile): void {
    this.#open.set(segment, { file: Promise.resolve(file), users: 1 })
  }

  /** The adopted file is an ordinary one from now on. */
  release(segment: Segment): void {
    const open = this.#open.get(segment)
    if (open !== undefined) open.users -= 1
  }

  /** For a segment that was replaced or removed. */
  async forget(segment: Segment): Promise<void> {
    const open = this.#open.get(segment)
    if (open === undefined || open.users > 0) return
    this.#open.delete(segment)
    await closeQuietly(open)
  }

  async #closeIdle(): Promise<void> {
    for (const [segment, open] of this.#open) {
      if (this.#open.size <= KEPT) return
      if (open.users > 0) continue
      this.#open.delete(segment)
      await closeQuietly(open)
    }
  }

  async close(): Promise<void> {
    const all = [...this.#open.values()]
    this.#open.clear()
    await Promise.all(all.map(closeQuietly))
  }
}

/** Nothing was written through these, or it was synced before: a failed close loses nothing. */
async function closeQuietly(open: Open): Promise<void> {
  try {
    await (await open.file).close()
  } catch {}
}
