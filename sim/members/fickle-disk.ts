import { setTimeout as delay } from 'node:timers/promises'
import { type Disk, type DiskFile, type DiskLock, type OpenMode, SkeinError } from '../../src/core/index.ts'

interface Unsynced {
  readonly bytes: Buffer
  readonly position: number
}

/**
 * A disk of which a killed process leaves only what it had synced: writes wait in this process until `datasync()`. So SIGKILL is
 * as good as a power loss, and shows an acknowledgment that came too early, which the kernel's memory would hide.
 */
export class FickleDisk implements Disk {
  readonly kind: Disk['kind']
  readonly #disk: Disk
  /** There is no room for anything that is written from now on. */
  isFull = false
  /** A sync takes so long: a kill finds much that is not synced. */
  syncDelayMs = 0

  constructor(disk: Disk) {
    this.#disk = disk
    this.kind = disk.kind
  }

  async open(path: string, mode: OpenMode): Promise<DiskFile> {
    return new FickleFile(await this.#disk.open(path, mode), this)
  }

  list(directory: string): Promise<string[]> {
    return this.#disk.list(directory)
  }

  makeDirectory(directory: string): Promise<void> {
    return this.#disk.makeDirectory(directory)
  }

  syncDirectory(directory: string): Promise<void> {
    return this.#disk.syncDirectory(directory)
  }

  rename(from: string, to: string): Promise<void> {
    return this.#disk.rename(from, to)
  }

  link(from: string, to: string): Promise<boolean> {
    return this.#disk.link(from, to)
  }

  remove(path: string): Promise<void> {
    return this.#disk.remove(path)
  }

  size(path: string): Promise<number | undefined> {
    return this.#disk.size(path)
  }

  lock(directory: string): Promise<DiskLock> {
    return this.#disk.lock(directory)
  }
}

class FickleFile implements DiskFile {
  readonly #file: DiskFile
  readonly #disk: FickleDisk
  #unsynced: Unsynced[] = []
  /** One thing after the other: the order of writes is the order on the disk. */
  #work: Promise<void> = Promise.resolve()

  constructor(file: DiskFile, disk: FickleDisk) {
    this.#file = file
    this.#disk = disk
  }

  #then<Result>(next: () => Promise<Result>): Promise<Result> {
    const done = this.#work.then(next)
    this.#work = done.then(
      () => undefined,
      () => undefined,
    )
    return done
  }

  writev(buffers: readonly Uint8Array[], position: number): Promise<void> {
    const bytes = Buffer.concat(buffers)
    return this.#then(async () => {
      if (this.#disk.isFull) throw new SkeinError('disk-full', 'Cannot write: the disk was said to be full')
      this.#unsynced.push({ bytes, position })
    })
  }

  async #settle(): Promise<void> {
    for (let next = this.#unsynced[0]; next !== undefined; next = this.#unsynced[0]) {
      await this.#file.writev([next.bytes], next.position)
      this.#unsynced.shift()
    }
  }

  datasync(): Promise<void> {
    return this.#then(async () => {
      if (this.#disk.syncDelayMs > 0) await delay(this.#disk.syncDelayMs)
      await this.#settle()
      await this.#file.datasync()
    })
  }

  read(target: Uint8Array, position: number): Promise<number> {
    return this.#then(async () => {
      await this.#settle()
      return this.#file.read(target, position)
    })
  }

  truncate(length: number): Promise<void> {
    return this.#then(async () => {
      await this.#settle()
      await this.#file.truncate(length)
    })
  }

  size(): Promise<number> {
    return this.#then(async () => {
      await this.#settle()
      return this.#file.size()
    })
  }

  close(): Promise<void> {
    return this.#then(async () => {
      await this.#settle()
      await this.#file.close()
    })
  }
}
