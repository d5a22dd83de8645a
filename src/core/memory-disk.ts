import type { Disk, DiskFile, DiskLock, OpenMode } from './disk.ts'
import { parentPath } from './disk-path.ts'
import { SkeinError } from './errors.ts'

const CHUNK_BYTES = 64 * 1024
const FIRST_CHUNK_BYTES = 1024

/** A disk in this process's memory, for `memory:` and tests: the same behaviour as a real one, gone with the process. */
export function memoryDisk(): Disk {
  const files = new Map<string, MemoryFile>()
  const directories = new Set<string>([''])
  const locks = new Set<string>()
  const required = (path: string, action: string): MemoryFile => {
    const file = files.get(normalize(path))
    if (file === undefined) throw notFound(path, action)
    return file
  }
  const disk: Disk = {
    kind: 'memory',
    async open(path: string, mode: OpenMode): Promise<DiskFile> {
      if (mode !== 'create') return required(path, 'open')
      const name = normalize(path)
      if (files.has(name)) throw ioFailed(path, 'create', 'it exists already', 'EEXIST')
      if (!directories.has(parentPath(name))) throw notFound(path, 'create')
      const file = new MemoryFile()
      files.set(name, file)
      return file
    },
    async list(directory: string): Promise<string[]> {
      const name = normalize(directory)
      if (!directories.has(name)) throw notFound(directory, 'list')
      const prefix = name === '' ? '' : `${name}/`
      const entries = [...files.keys(), ...directories].filter((path) => path !== '' && path.startsWith(prefix))
      return entries
        .map((path) => path.slice(prefix.length))
        .filter((entry) => entry !== '' && !entry.includes('/'))
        .sort()
    },
    async makeDirectory(directory: string): Promise<void> {
      for (let path = normalize(directory); path !== ''; path = parentPath(path)) directories.add(path)
    },
    async syncDirectory(directory: string): Promise<void> {
      if (!directories.has(normalize(directory))) throw notFound(directory, 'sync')
    },
    async rename(from: string, to: string): Promise<void> {
      const file = required(from, 'rename')
      files.delete(normalize(from))
      files.set(normalize(to), file)
    },
    async link(from: string, to: string): Promise<boolean> {
      const file = required(from, 'link')
      if (files.has(normalize(to)) || directories.has(normalize(to))) return false
      files.set(normalize(to), file)
      return true
    },
    async remove(path: string): Promise<void> {
      const name = normalize(path)
      if (!files.delete(name) && !directories.delete(name)) throw notFound(path, 'remove')
    },
    size: async (path: string) => files.get(normalize(path))?.length,
    async lock(directory: string): Promise<DiskLock> {
      const name = normalize(directory)
      if (locks.has(name)) {
        throw new SkeinError('locked', `Cannot lock ${directory}: it is already in use by this process`, {
          details: { directory },
        })
      }
      locks.add(name)
      return {
        async release(): Promise<void> {
          locks.delete(name)
        },
      }
    },
  }
  return disk
}

class MemoryFile implements DiskFile {
  length = 0
  /** Each full but the last; the first grows in steps, so that a small file stays small. */
  readonly #chunks: Buffer[] = []

  async writev(buffers: readonly Uint8Array[], position: number): Promise<void> {
    let at = position
    for (const buffer of buffers) {
      this.#write(buffer, at)
      at += buffer.byteLength
    }
  }

  #write(bytes: Uint8Array, position: number): void {
    this.#reserve(position + bytes.byteLength)
    for (let done = 0; done < bytes.byteLength; ) {
      const at = position + done
      const chunk = this.#chunks[Math.floor(at / CHUNK_BYTES)]!
      const within = at % CHUNK_BYTES
      const part = bytes.subarray(done, done + CHUNK_BYTES - within)
      chunk.set(part, within)
      done += part.byteLength
    }
    this.length = Math.max(this.length, position + bytes.byteLength)
  }

  /** Makes chunks up to `end`; new bytes are zero, as in a sparse file. */
  #reserve(end: number): void {
    const first = this.#chunks[0]
    const wanted = Math.min(end, CHUNK_BYTES)
    if (first === undefined || first.byteLength < wanted) {
      let size = Math.max(first?.byteLength ?? 0, FIRST_CHUNK_BYTES)
      while (size < wanted) size *= 2
      const grown = Buffer.alloc(Math.min(size, CHUNK_BYTES))
      if (first !== undefined) grown.set(first)
      this.#chunks[0] = grown
    }
    while (this.#chunks.length * CHUNK_BYTES < end) this.#chunks.push(Buffer.alloc(CHUNK_BYTES))
  }

  async read(target: Uint8Array, position: number): Promise<number> {
    const end = Math.min(position + target.byteLength, this.length)
    let at = position
    while (at < end) {
      const within = at % CHUNK_BYTES
      const part = this.#chunks[Math.floor(at / CHUNK_BYTES)]!.subarray(within, within + end - at)
      target.set(part, at - position)
      at += part.byteLength
    }
    return Math.max(0, end - position)
  }

  async datasync(): Promise<void> {}

  async truncate(length: number): Promise<void> {
    if (length < this.length) {
      this.#chunks.length = Math.ceil(length / CHUNK_BYTES)
      const last = this.#chunks.at(-1)
      // What a later extension uncovers must read as zeros.
      last?.fill(0, Math.min(last.byteLength, length - (this.#chunks.length - 1) * CHUNK_BYTES))
    } else {
      this.#reserve(length)
    }
    this.length = length
  }

  async size(): Promise<number> {
    return this.length
  }

  async close(): Promise<void> {}
}

function normalize(path: string): string {
  return path
    .split('/')
    .filter((level) => level !== '' && level !== '.')
    .join('/')
}

function notFound(path: string, action: string): SkeinError {
  return new SkeinError('not-found', `Cannot ${action} ${path}: there is no such file or directory`, {
    details: { path },
  })
}

function ioFailed(path: string, action: string, why: string, errno: string): SkeinError {
  return new SkeinError('io-failed', `Cannot ${action} ${path}: ${why}`, {
    details: { path, syscall: action, errno },
  })
}
