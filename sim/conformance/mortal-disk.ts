import { type Disk, type DiskFile, SkeinError } from '../../src/core/index.ts'

/**
 * A disk whose user can be killed: from then on every call of it fails, what was under way included, and what was written
 * stays. So nothing is acknowledged after the kill that a dead process could not have acknowledged.
 */
export class MortalDisk implements Disk {
  readonly kind: Disk['kind']
  readonly #disk: Disk
  readonly #underWay = new Set<Promise<unknown>>()
  #isDead = false

  constructor(disk: Disk) {
    this.#disk = disk
    this.kind = disk.kind
  }

  /** Resolves when nothing that was begun before can reach the disk any more. */
  async kill(): Promise<void> {
    this.#isDead = true
    await Promise.allSettled([...this.#underWay])
  }

  async #do<Result>(call: () => Promise<Result>): Promise<Result> {
    this.#checkAlive()
    const underWay = call()
    this.#underWay.add(underWay)
    try {
      return await underWay
    } finally {
      this.#underWay.delete(underWay)
      this.#checkAlive()
    }
  }

  #checkAlive(): void {
    if (this.#isDead) throw new SkeinError('io-failed', 'Cannot reach the disk: this process was killed')
  }

  open(path: string, mode: Parameters<Disk['open']>[1]): Promise<DiskFile> {
    return this.#do(async () => {
      const file = await this.#disk.open(path, mode)
      return {
        writev: (buffers, position) => this.#do(() => file.writev(buffers, position)),
        read: (target, position) => this.#do(() => file.read(target, position)),
        datasync: () => this.#do(() => file.datasync()),
        truncate: (length) => this.#do(() => file.truncate(length)),
        size: () => this.#do(() => file.size()),
        // Whoever is dead lets go of its files all the same.
        close: () => file.close(),
      }
    })
  }

  list(directory: string): Promise<string[]> {
    return this.#do(() => this.#disk.list(directory))
  }

  makeDirectory(directory: string): Promise<void> {
    return this.#do(() => this.#disk.makeDirectory(directory))
  }

  syncDirectory(directory: string): Promise<void> {
    return this.#do(() => this.#disk.syncDirectory(directory))
  }

  rename(from: string, to: string): Promise<void> {
    return this.#do(() => this.#disk.rename(from, to))
  }

  link(from: string, to: string): Promise<boolean> {
    return this.#do(() => this.#disk.link(from, to))
  }

  remove(path: string): Promise<void> {
    return this.#do(() => this.#disk.remove(path))
  }

  size(path: string): Promise<number | undefined> {
    return this.#do(() => this.#disk.size(path))
  }

  lock(directory: string): ReturnType<Disk['lock']> {
    return this.#do(() => this.#disk.lock(directory))
  }
}
