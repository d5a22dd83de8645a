import { type Disk, type DiskFile, parentPath, SkeinError } from '../core/index.ts'
import { checkName, checkObjectSize, isName } from './object-name.ts'
import type { ObjectInfo, ObjectStore } from './object-store.ts'

/** No object name can end so: `#` never stands last in what `checkName` lets through. */
const UNFINISHED = '#'

export interface DirectoryStoreOptions {
  readonly disk: Disk
  readonly directory: string
}

/**
 * An object store in one directory: a file per object, written beside its place, synced, and given its name. Several processes
 * may share the directory. A crash leaves an unfinished file behind, which is no object.
 */
export async function openDirectoryStore(options: DirectoryStoreOptions): Promise<ObjectStore> {
  await options.disk.makeDirectory(options.directory)
  await options.disk.syncDirectory(parentPath(options.directory))
  return new DirectoryStore(options)
}

class DirectoryStore implements ObjectStore {
  readonly #disk: Disk
  readonly #root: string
  /** Directories made by this store and known to be durable. */
  readonly #known = new Set<string>()
  #unfinished = 0

  constructor(options: DirectoryStoreOptions) {
    this.#disk = options.disk
    this.#root = options.directory
  }

  async put(name: string, bytes: Uint8Array): Promise<void> {
    const { path, directory, unfinished } = await this.#writeBeside(name, bytes)
    try {
      await this.#disk.rename(unfinished, path)
    } catch (error) {
      await this.#disk.remove(unfinished).catch(() => undefined)
      throw error
    }
    await this.#disk.syncDirectory(directory)
  }

  async create(name: string, bytes: Uint8Array): Promise<boolean> {
    const { path, directory, unfinished } = await this.#writeBeside(name, bytes)
    let isMade: boolean
    try {
      isMade = await this.#disk.link(unfinished, path)
    } finally {
      await this.#disk.remove(unfinished).catch(() => undefined)
    }
    // Another's, too, must not be gone again after what its sight led to.
    await this.#disk.syncDirectory(directory)
    return isMade || Buffer.compare(await this.get(name), bytes) === 0
  }

  async get(name: string): Promise<Uint8Array> {
    const file = await this.#disk.open(this.#path(name), 'read')
    try {
      const bytes = new Uint8Array(await file.size())
      const length = await file.read(bytes, 0)
      if (length === bytes.byteLength) return bytes
      throw new SkeinError(
        'corrupt',
        `Cannot read the object "${name}": it ended after ${length} bytes while being read`,
      )
    } finally {
      await file.close()
    }
  }

  async stat(name: string): Promise<ObjectInfo | undefined> {
    const bytes = await this.#disk.size(this.#path(name))
    return bytes === undefined ? undefined : { name, bytes }
  }

  async delete(name: string): Promise<void> {
    if ((await this.stat(name)) === undefined) return
    const path = this.#path(name)
    await this.#disk.remove(path)
    await this.#disk.syncDirectory(path.slice(0, path.lastIndexOf('/')))
  }

  async list(prefix: string): Promise<readonly ObjectInfo[]> {
    const levels = prefix === '' ? [] : checkName(prefix.replace(/\/$/, ''))
    return this.#listUnder(levels)
  }

  async #listUnder(levels: readonly string[]): Promise<readonly ObjectInfo[]> {
    const found: ObjectInfo[] = []
    for (const name of (await this.#namesIn([this.#root, ...levels].join('/'))) ?? []) {
      if (name.endsWith(UNFINISHED)) continue
      const path = [...levels, name]
      const isDirectory = (await this.#namesIn([this.#root, ...path].join('/'))) !== undefined
      const below = isDirectory ? await this.#listUnder(path) : await this.#infoOf(path)
      for (const info of below) found.push(info)
    }
    return found.sort((left, right) => (left.name < right.name ? -1 : 1))
  }

  /** Nothing of one that was deleted meanwhile, or of a file with a name that no object has. */
  async #infoOf(levels: readonly string[]): Promise<readonly ObjectInfo[]> {
    const bytes = await this.#disk.size([this.#root, ...levels].join('/'))
    return bytes === undefined || !isName(levels.join('/')) ? [] : [{ name: levels.join('/'), bytes }]
  }

  /** Undefined for what is no directory: a file, or nothing at all. */
  async #namesIn(directory: string): Promise<readonly string[] | undefined> {
    try {
      return await this.#disk.list(directory)
    } catch (error) {
      const isNone = error instanceof SkeinError && (error.code === 'not-found' || error.details.errno === 'ENOTDIR')
      if (isNone) return undefined
      throw error
    }
  }

  async #makeDirectories(levels: readonly string[]): Promise<string> {
    const directory = [this.#root, ...levels].join('/')
    if (this.#known.has(directory)) return directory
    await this.#disk.makeDirectory(directory)
    for (let depth = 0; depth < levels.length; depth += 1) {
      await this.#disk.syncDirectory([this.#root, ...levels.slice(0, depth)].join('/'))
    }
    this.#known.add(directory)
    return directory
  }

  async #writeBeside(
    name: string,
    bytes: Uint8Array,
  ): Promise<{ readonly path: string; readonly directory: string; readonly unfinished: string }> {
    const levels = checkName(name)
    checkObjectSize(name, bytes.byteLength)
    const directory = await this.#makeDirectories(levels.slice(0, -1))
    const path = `${directory}/${levels.at(-1)}`
    const { file, unfinished } = await this.#openBeside(path)
    try {
      await file.writev([bytes], 0)
      await file.datasync()
    } catch (error) {
      await this.#disk.remove(unfinished).catch(() => undefined)
      throw error
    } finally {
      await file.close()
    }
    return { path, directory, unfinished }
  }

  /** A name that is there already is another process's, or was left behind by a crash: the next one is tried. */
  async #openBeside(path: string): Promise<{ readonly file: DiskFile; readonly unfinished: string }> {
    for (;;) {
      this.#unfinished += 1
      const unfinished = `${path}.${this.#unfinished}${UNFINISHED}`
      try {
        return { file: await this.#disk.open(unfinished, 'create'), unfinished }
      } catch (error) {
        if (!(error instanceof SkeinError) || error.details.errno !== 'EEXIST') throw error
      }
    }
  }

  #path(name: string): string {
    return [this.#root, ...checkName(name)].join('/')
  }
}
