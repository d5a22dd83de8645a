import { execFileSync } from 'node:child_process'
import { rmdirSync } from 'node:fs'
import { mkdtemp, rm, rmdir, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const BLOCK_BYTES = 64 * 1024

/** A file system of its own, small enough to be filled. Only root can make one. */
export class SmallDisk {
  readonly directory: string
  #isMounted = true

  private constructor(directory: string) {
    this.directory = directory
    process.on('exit', this.unmount)
  }

  /** Undefined where this process may not mount anything. */
  static async mount(bytes: number): Promise<SmallDisk | undefined> {
    const directory = await mkdtemp(join(tmpdir(), 'skein-chaos-disk-'))
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${bytes}`, 'skein-chaos', directory], { stdio: 'ignore' })
      return new SmallDisk(directory)
    } catch {
      await rmdir(directory)
      return undefined
    }
  }

  get #ballast(): string {
    return join(this.directory, 'ballast')
  }

  /** Until nothing more goes in. */
  async fill(): Promise<void> {
    try {
      for (let block = 0; ; block += 1) await writeFile(this.#ballast, Buffer.alloc(BLOCK_BYTES, block), { flag: 'a' })
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
    }
  }

  async relieve(): Promise<void> {
    await rm(this.#ballast, { force: true })
  }

  /** Also when the process ends before it was asked to. */
  readonly unmount = (): void => {
    if (!this.#isMounted) return
    this.#isMounted = false
    process.off('exit', this.unmount)
    execFileSync('umount', ['--lazy', this.directory])
    rmdirSync(this.directory)
  }
}
