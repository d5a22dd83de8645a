import { type Clock, type Disk, type DiskFile, type OpenMode, SkeinError, type Timer } from '../core/index.ts'

const PROBE_EVERY_MS = 1_000
/** A block and a bit: what a full disk can't give. */
const PROBE_BYTES = 64 * 1024

export type DiskState = 'full' | 'room' | 'sync-failed'

export interface DiskHealthOptions {
  readonly clock: Clock
  /** Of the data: a small file is written there to find out whether a full disk has room again. */
  readonly directory: string
  readonly onChange?: (state: DiskState) => void
}

/**
 * Watches what a disk answers to the log that stands on it, without changing it: a full disk until it takes writes
 * again, and a failed sync for good, for after that nobody knows what the disk holds.
 */
export class DiskHealth {
  /** Hand this one on. */
  readonly disk: Disk
  #full = false
  #syncFailed = false
  #timer: Timer | undefined
  readonly #inner: Disk
  readonly #clock: Clock
  readonly #probePath: string
  readonly #onChange: (state: DiskState) => void

  constructor(inner: Disk, options: DiskHealthOptions) {
    this.#inner = inner
    this.#clock = options.clock
    this.#probePath = `${options.directory}/room.probe`
    this.#onChange = options.onChange ?? (() => {})
    this.disk = {
      kind: inner.kind,
      open: (path, mode) => this.#open(path, mode),
      list: (directory) => inner.list(directory),
      makeDirectory: (directory) => inner.makeDirectory(directory),
      syncDirectory: (directory) => inner.syncDirectory(directory),
      rename: (from, to) => inner.rename(from, to),
      link: (from, to) => inner.link(from, to),
      remove: (path) => inner.remove(path),
      size: (path) => inner.size(path),
      lock: (directory) => inner.lock(directory),
    }
  }

  get full(): boolean {
    return this.#full
  }

  get syncFailed(): boolean {
    return this.#syncFailed
  }

  close(): void {
    this.#timer?.cancel()
  }

  async #open(path: string, mode: OpenMode): Promise<DiskFile> {
    const file = await this.#watched(this.#inner.open(path, mode))
    return {
      writev: (buffers, position) => this.#watched(file.writev(buffers, position)),
      read: (target, position) => file.read(target, position),
      datasync: () => this.#watchedSync(file),
      truncate: (length) => file.truncate(length),
      size: () => file.size(),
      close: () => file.close(),
    }
  }

  async #watched<Result>(work: Promise<Result>): Promise<Result> {
    try {
      return await work
    } catch (error) {
      if (error instanceof SkeinError && error.code === 'disk-full') this.#foundFull()
      throw error
    }
  }

  async #watchedSync(file: DiskFile): Promise<void> {
    try {
      await file.datasync()
    } catch (error) {
      if (!this.#syncFailed) this.#onChange('sync-failed')
      this.#syncFailed = true
      throw error
    }
  }

  #foundFull(): void {
    if (!this.#full) this.#onChange('full')
    this.#full = true
    this.#timer ??= this.#clock.setTimer(() => {
      this.#timer = undefined
      this.#probeRoom().catch(() => this.#foundFull())
    }, PROBE_EVERY_MS)
  }

  /** Nobody may send work while we are not ready, so nobody else would find out that there is room again. */
  async #probeRoom(): Promise<void> {
    if ((await this.#inner.size(this.#probePath)) !== undefined) await this.#inner.remove(this.#probePath)
    const file = await this.#inner.open(this.#probePath, 'create')
    try {
      await file.writev([new Uint8Array(PROBE_BYTES)], 0)
      await file.datasync()
    } finally {
      await file.close()
      await this.#inner.remove(this.#probePath)
    }
    this.#full = false
    this.#onChange('room')
  }
}
