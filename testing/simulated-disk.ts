import {
  type Disk,
  type DiskFile,
  type DiskLock,
  type OpenMode,
  parentPath,
  type Random,
  SkeinError,
} from '../src/core/index.ts'
import { seededRandom } from './seeded-random.ts'
import { SimulatedFile } from './simulated-file.ts'

/** The calls that are counted and can be made to fail, named after the system's. */
export type DiskCall =
  | 'open'
  | 'create'
  | 'list'
  | 'mkdir'
  | 'fsyncdir'
  | 'rename'
  | 'link'
  | 'unlink'
  | 'stat'
  | 'writev'
  | 'read'
  | 'fdatasync'
  | 'ftruncate'
  | 'fstat'
  | 'close'

export type DiskErrno = 'EIO' | 'ENOSPC' | 'EMFILE' | 'EROFS'

export interface DiskFailure {
  readonly call: DiskCall
  /** 1 is the next such call. */
  readonly nth: number
  readonly errno: DiskErrno
  /** Every later call of this kind fails too, until `heal()`. Default: once. */
  readonly forGood?: boolean
}

export interface SimulatedDiskOptions {
  /** Decides what a power loss leaves. Default: seed 1. */
  readonly random?: Random
  /** Room for all files together; more is ENOSPC. Default: no limit. */
  readonly capacityBytes?: number
  /** Files that are there already, durable. */
  readonly image?: DiskImage
  /**
   * A sync takes up to so many turns of the microtask queue, drawn at random, and other calls come in between: the power
   * may fail while it is under way. Default 0: it is over at once.
   */
  readonly syncTurnsMax?: number
  /** A sync waits for this, too: for the time of a simulated clock, say, in which other things happen. */
  readonly syncTakes?: () => Promise<void>
}

/** Files by path. */
export type DiskImage = ReadonlyMap<string, Uint8Array>

/** A change of a directory that a power loss may undo. */
interface EntryChange {
  readonly set?: { readonly path: string; readonly file: SimulatedFile | 'directory' }
  readonly unset?: string
}

/**
 * A disk whose power can fail: what was not synced is then there, not there, or there in part, entries of directories
 * included. Any call can be made to fail. The same seed and the same calls give the same run.
 */
export class SimulatedDisk implements Disk {
  readonly kind = 'real'
  readonly calls = new Map<DiskCall, number>()
  capacityBytes: number
  bytesRead = 0
  readonly #random: Random
  readonly #syncTurnsMax: number
  readonly #syncTakes: (() => Promise<void>) | undefined
  #entries = new Map<string, SimulatedFile | 'directory'>()
  #durableEntries = new Map<string, SimulatedFile | 'directory'>()
  #changes: EntryChange[] = []
  #failures: Array<{ readonly failure: DiskFailure; left: number }> = []
  readonly #locks = new Set<string>()
  #powerFailsIn: number | undefined
  /** Rises with each restart: files opened before are dead. */
  #era = 0
  #isOff = false

  constructor(options: SimulatedDiskOptions = {}) {
    this.#random = options.random ?? seededRandom(1)
    this.capacityBytes = options.capacityBytes ?? Number.POSITIVE_INFINITY
    this.#syncTurnsMax = options.syncTurnsMax ?? 0
    this.#syncTakes = options.syncTakes
    for (const [path, content] of options.image ?? []) {
      for (let at = parentPath(path); at !== ''; at = parentPath(at)) this.#entries.set(at, 'directory')
      this.#entries.set(path, new SimulatedFile(content))
    }
    this.#durableEntries = new Map(this.#entries)
  }

  get totalCalls(): number {
    let total = 0
    for (const count of this.calls.values()) total += count
    return total
  }

  get isOff(): boolean {
    return this.#isOff
  }

  /** Every file as it can be read now. Copies. */
  image(): DiskImage {
    const image = new Map<string, Uint8Array>()
    for (const [path, entry] of this.#entries) if (entry !== 'directory') image.set(path, Buffer.from(entry.bytes()))
    return image
  }

  /** Changes a file behind the back of whoever uses it. */
  damage(path: string, change: (file: SimulatedFile) => void): void {
    const file = this.#entries.get(path)
    if (!(file instanceof SimulatedFile)) throw notFound(path)
    change(file)
    file.sync()
  }

  fail(failure: DiskFailure): void {
    this.#failures.push({ failure, left: failure.nth })
  }

  heal(): void {
    this.#failures = []
  }

  /** The power fails in the middle of the call with this number, counted from 1 for the next one. */
  failPowerAt(call: number): void {
    this.#powerFailsIn = call
  }

  /** Now. Calls fail from here on, until `restart()`. */
  losePower(): void {
    this.#isOff = true
    this.#powerFailsIn = undefined
    for (const change of this.#changes) if (this.#random.float() < 0.5) apply(this.#durableEntries, change)
    for (const entry of new Set(this.#durableEntries.values())) {
      if (entry !== 'directory') entry.losePower(this.#random)
    }
    for (const path of this.#durableEntries.keys()) if (!this.#hasParents(path)) this.#durableEntries.delete(path)
    this.#entries = new Map(this.#durableEntries)
    this.#changes = []
  }

  /** The process died, the machine lives: nothing is lost, open files are closed, locks are free. */
  kill(): void {
    this.#isOff = true
    this.#powerFailsIn = undefined
  }

  restart(): void {
    this.#isOff = false
    this.#era += 1
    this.#locks.clear()
  }

  async open(path: string, mode: OpenMode): Promise<DiskFile> {
    this.#enter(mode === 'create' ? 'create' : 'open', path)
    const existing = this.#entries.get(path)
    if (mode !== 'create') {
      if (!(existing instanceof SimulatedFile)) throw notFound(path)
      return this.#handle(existing, path)
    }
    if (existing !== undefined) throw ioFailed('open', path, 'EEXIST')
    if (parentPath(path) !== '' && !this.#entries.has(parentPath(path))) throw notFound(path)
    const file = new SimulatedFile()
    this.#change({ set: { path, file } })
    return this.#handle(file, path)
  }

  #handle(file: SimulatedFile, path: string): DiskFile {
    const era = this.#era
    const enter = (call: DiskCall, onFailure?: () => void) => {
      if (era !== this.#era) throw ioFailed(call, path, 'EBADF')
      this.#enter(call, path, onFailure)
    }
    return {
      writev: async (buffers, position) => this.#write(file, path, { bytes: Buffer.concat(buffers), position, enter }),
      read: async (target, position) => {
        enter('read')
        const read = file.read(target, position)
        this.bytesRead += read
        return read
      },
      datasync: async () => {
        enter('fdatasync', () => file.failSync())
        if (this.#syncTurnsMax > 0 || this.#syncTakes !== undefined) await this.#syncTime(path, era)
        file.sync()
      },
      truncate: async (length) => {
        enter('ftruncate')
        file.truncate(length)
      },
      size: async () => {
        enter('fstat')
        return file.size
      },
      close: async () => {
        if (era === this.#era) this.#enter('close', path)
      },
    }
  }

  async #syncTime(path: string, era: number): Promise<void> {
    await this.#syncTakes?.()
    for (let left = Math.floor(this.#random.float() * this.#syncTurnsMax); left > 0; left -= 1) await undefined
    if (this.#isOff || era !== this.#era) throw ioFailed('fdatasync', path, 'EIO')
  }

  #write(
    file: SimulatedFile,
    path: string,
    write: {
      readonly bytes: Buffer
      readonly position: number
      readonly enter: (call: DiskCall, onFailure: () => void) => void
    },
  ): void {
    const { bytes, position, enter } = write
    // A write that fails has written some of it.
    enter('writev', () => file.write(bytes.subarray(0, Math.floor(this.#random.float() * bytes.byteLength)), position))
    const room = this.capacityBytes - this.#usedBytes() + file.size - position
    if (bytes.byteLength > room) {
      file.write(bytes.subarray(0, Math.max(0, room)), position)
      throw ioFailed('writev', path, 'ENOSPC')
    }
    file.write(bytes, position)
  }

  #usedBytes(): number {
    if (this.capacityBytes === Number.POSITIVE_INFINITY) return 0
    let used = 0
    for (const entry of this.#entries.values()) if (entry !== 'directory') used += entry.size
    return used
  }

  async list(directory: string): Promise<string[]> {
    this.#enter('list', directory)
    if (directory !== '.' && this.#entries.get(directory) !== 'directory') throw notFound(directory)
    const prefix = directory === '.' ? '' : `${directory}/`
    return [...this.#entries.keys()]
      .filter((path) => path.startsWith(prefix) && !path.slice(prefix.length).includes('/'))
      .map((path) => path.slice(prefix.length))
      .sort()
  }

  async makeDirectory(directory: string): Promise<void> {
    this.#enter('mkdir', directory)
    const missing: string[] = []
    for (let path = directory; path !== '' && !this.#entries.has(path); path = parentPath(path)) missing.unshift(path)
    for (const path of missing) this.#change({ set: { path, file: 'directory' } })
  }

  async syncDirectory(directory: string): Promise<void> {
    this.#enter('fsyncdir', directory)
    const prefix = directory === '.' ? '' : directory
    const isHere = (path: string | undefined) => path !== undefined && parentPath(path) === prefix
    for (const change of this.#changes) {
      if (isHere(change.set?.path) || isHere(change.unset)) apply(this.#durableEntries, change)
    }
    this.#changes = this.#changes.filter((change) => !isHere(change.set?.path) && !isHere(change.unset))
  }

  async rename(from: string, to: string): Promise<void> {
    this.#enter('rename', from)
    const file = this.#entries.get(from)
    if (file === undefined) throw notFound(from)
    this.#change({ set: { path: to, file }, unset: from })
  }

  async link(from: string, to: string): Promise<boolean> {
    this.#enter('link', from)
    const file = this.#entries.get(from)
    if (file === undefined) throw notFound(from)
    if (this.#entries.has(to)) return false
    this.#change({ set: { path: to, file } })
    return true
  }

  async remove(path: string): Promise<void> {
    this.#enter('unlink', path)
    if (!this.#entries.has(path)) throw notFound(path)
    this.#change({ unset: path })
  }

  async size(path: string): Promise<number | undefined> {
    this.#enter('stat', path)
    const entry = this.#entries.get(path)
    return entry instanceof SimulatedFile ? entry.size : undefined
  }

  async lock(directory: string): Promise<DiskLock> {
    if (this.#locks.has(directory)) throw new SkeinError('locked', `Cannot lock ${directory}: it is in use`)
    this.#locks.add(directory)
    const era = this.#era
    return {
      release: async () => {
        if (era === this.#era) this.#locks.delete(directory)
      },
    }
  }

  #change(change: EntryChange): void {
    apply(this.#entries, change)
    this.#changes.push(change)
  }

  #hasParents(path: string): boolean {
    for (let at = parentPath(path); at !== ''; at = parentPath(at)) if (!this.#durableEntries.has(at)) return false
    return true
  }

  /** Counts the call and throws when it is to fail; `onFailure` is what a failed one does all the same. */
  #enter(call: DiskCall, path: string, onFailure?: () => void): void {
    if (this.#isOff) throw ioFailed(call, path, 'EIO')
    this.calls.set(call, (this.calls.get(call) ?? 0) + 1)
    if (this.#powerFailsIn !== undefined) {
      this.#powerFailsIn -= 1
      if (this.#powerFailsIn === 0) {
        if (call === 'writev') onFailure?.()
        this.losePower()
        throw ioFailed(call, path, 'EIO')
      }
    }
    const errno = this.#failing(call)
    if (errno === undefined) return
    onFailure?.()
    throw ioFailed(call, path, errno)
  }

  #failing(call: DiskCall): DiskErrno | undefined {
    let errno: DiskErrno | undefined
    for (const waiting of this.#failures) {
      if (waiting.failure.call !== call) continue
      waiting.left -= 1
      if (waiting.left === 0 || (waiting.left < 0 && waiting.failure.forGood === true)) errno = waiting.failure.errno
    }
    return errno
  }
}

function apply(entries: Map<string, SimulatedFile | 'directory'>, change: EntryChange): void {
  if (change.unset !== undefined) entries.delete(change.unset)
  if (change.set !== undefined) entries.set(change.set.path, change.set.file)
}

function notFound(path: string): SkeinError {
  return new SkeinError('not-found', `Cannot find ${path}`, { details: { path } })
}

function ioFailed(syscall: string, path: string, errno: string): SkeinError {
  const code = errno === 'ENOSPC' ? 'disk-full' : 'io-failed'
  const cause = Object.assign(new Error(`${errno}: ${syscall}`), { code: errno, syscall })
  return new SkeinError(code, `Cannot ${syscall} ${path}: ${errno}`, {
    cause,
    retryable: code === 'disk-full',
    details: { path, syscall, errno },
  })
}
