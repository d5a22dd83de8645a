import { type Disk, parentPath, SkeinError } from '../core/index.ts'
import { checkName, checkObjectSize } from './object-name.ts'
import type { ObjectInfo, ObjectStore } from './object-store.ts'

/** No object name can end so: `#` never stands last in what `checkName` lets through. */
const UNFINISHED = '#'

export interface DirectoryStoreOptions {
  readonly disk: Disk
  readonly directory: string
}

/** An object store in one directory: a file per object, written beside its place, synced and renamed into it. */
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
    const levels = checkName(name)
    checkObjectSize(name, bytes.byteLength)
    const directory = await this.#makeDirectories(levels.slice(0, -1))
    this.#unfinished += 1
    const unfinished = `${directory}/${levels.at(-1)}.${this.#unfinished}${UNFINISHED}`
    try {
      await this.#writeFile(unfinished, bytes)
      await this.#disk.rename(unfinished, `${directory}/${levels.at(-1)}`)
    } catch (error) {
      await this.#disk.remove(unfinished).catch(() => undefined)
      throw error
    }
    await this.#disk.syncDirectory(directory)
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
    const names = await this.#namesIn([this.#root, ...levels].join('/'))
    const found: ObjectInfo[] = []
    for (const name of names) {
      if (name.endsWith(UNFINISHED)) continue
      const path = [...levels, name]
      const below = await this.#listUnder(path)
      if (below.length > 0) found.push(...below)
      else found.push(...(await this.#infoOf(path)))
    }
    return found.sort((left, right) => (left.name < right.name ? -1 : 1))
  }

  async #infoOf(levels: readonly string[]): Promise<readonly ObjectInfo[]> {
    const info = await this.stat(levels.join('/')).catch(() => undefined)
    return info === undefined ? [] : [info]
  }

  /** A file has no entries: the disk says so with an error, which means the same here. */
  #namesIn(directory: string): Promise<readonly string[]> {
    return this.#disk.list(directory).catch(() => [])
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

  async #writeFile(path: string, bytes: Uint8Array): Promise<void> {
    // One that a crash left behind is in the way of `create`.
    if ((await this.#disk.size(path)) !== undefined) await this.#disk.remove(path)
    const file = await this.#disk.open(path, 'create')
    try {
      await file.writev([bytes], 0)
      await file.datasync()
    } finally {
      await file.close()
    }
  }

  #path(name: string): string {
    return [this.#root, ...checkName(name)].join('/')
  }
}
