import { close, fdatasync, fstat, fsync, ftruncate, open, promises, read, writev } from 'node:fs'
import { dirname, isAbsolute, join } from 'node:path'
import type { Disk, DiskFile, DiskLock, OpenMode } from '../disk.ts'
import { SkeinError } from '../errors.ts'
import { lockDirectory } from './directory-lock.ts'

const FLAGS: Readonly<Record<OpenMode, string>> = { read: 'r', write: 'r+', create: 'wx+' }
const READ_BYTES_MAX = 0x7ffff000

/** The machine's file system. Relative paths are below `root`, by default the working directory. */
export function systemDisk(root = '.'): Disk {
  const resolve = (path: string) => (isAbsolute(path) ? path : join(root, path))
  return {
    kind: 'real',
    async open(path: string, mode: OpenMode): Promise<DiskFile> {
      return new SystemFile(await openDescriptor(resolve(path), FLAGS[mode]), path)
    },
    list: async (directory: string) =>
      (await promises.readdir(resolve(directory)).catch((cause: unknown) => fail('list', directory, cause))).sort(),
    async makeDirectory(directory: string): Promise<void> {
      await makeTree(resolve(directory)).catch((cause: unknown) => fail('make directory', directory, cause))
    },
    syncDirectory: (directory: string) => syncDirectory(resolve(directory)),
    rename: (from: string, to: string) =>
      promises.rename(resolve(from), resolve(to)).catch((cause: unknown) => fail('rename', from, cause)),
    link: (from: string, to: string) => linkOne(resolve(from), resolve(to)),
    remove: (path: string) => removeOne(resolve(path)).catch((cause: unknown) => fail('remove', path, cause)),
    async size(path: string): Promise<number | undefined> {
      try {
        return (await promises.stat(resolve(path))).size
      } catch (cause) {
        if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined
        return fail('stat', path, cause)
      }
    },
    lock: (directory: string): Promise<DiskLock> => lockDirectory(resolve(directory)),
  }
}

/** Not the `recursive` of `mkdir`, which never ends where a file system refuses with ENOENT, as /proc does. */
async function makeTree(path: string): Promise<void> {
  try {
    return await makeOne(path)
  } catch (cause) {
    const parent = dirname(path)
    if ((cause as NodeJS.ErrnoException).code !== 'ENOENT' || parent === path) throw cause
    await makeTree(parent)
  }
  await makeOne(path)
}

/** One that is there already is well. */
async function makeOne(path: string): Promise<void> {
  try {
    await promises.mkdir(path)
  } catch (cause) {
    const isThere = await promises.stat(path).then(
      (found) => found.isDirectory(),
      () => false,
    )
    if (!isThere) throw cause
  }
}

function openDescriptor(path: string, flags: string): Promise<number> {
  return new Promise((resolve, reject) => {
    open(path, flags, 0o644, (cause, descriptor) => {
      if (cause) reject(diskError('open', path, cause))
      else resolve(descriptor)
    })
  })
}

async function linkOne(from: string, to: string): Promise<boolean> {
  try {
    await promises.link(from, to)
    return true
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'EEXIST') return false
    return fail('link', from, cause)
  }
}

/** A file, or an empty directory. */
async function removeOne(path: string): Promise<void> {
  const { isDirectory } = await promises.lstat(path).then((stat) => ({ isDirectory: stat.isDirectory() }))
  await (isDirectory ? promises.rmdir(path) : promises.unlink(path))
}

async function syncDirectory(path: string): Promise<void> {
  const descriptor = await openDescriptor(path, 'r')
  try {
    await call('sync directory', path, (done) => fsync(descriptor, done))
  } finally {
    await call('close', path, (done) => close(descriptor, done))
  }
}

class SystemFile implements DiskFile {
  readonly #descriptor: number
  readonly #path: string
  #closing: Promise<void> | undefined

  constructor(descriptor: number, path: string) {
    this.#descriptor = descriptor
    this.#path = path
  }

  async writev(buffers: readonly Uint8Array[], position: number): Promise<void> {
    let rest = buffers
    for (let at = position; rest.length > 0; ) {
      const written = await this.#writeSome(rest, at)
      at += written
      rest = withoutFirst(rest, written)
    }
  }

  #writeSome(buffers: readonly Uint8Array[], position: number): Promise<number> {
    return new Promise((resolve, reject) => {
      writev(this.#descriptor, buffers, position, (cause, written) => {
        if (cause) reject(diskError('write', this.#path, cause))
        else resolve(written)
      })
    })
  }

  async read(target: Uint8Array, position: number): Promise<number> {
    let done = 0
    while (done < target.byteLength) {
      const got = await this.#readSome(target, done, position + done)
      if (got === 0) break
      done += got
    }
    return done
  }

  #readSome(target: Uint8Array, offset: number, position: number): Promise<number> {
    const length = Math.min(target.byteLength - offset, READ_BYTES_MAX)
    return new Promise((resolve, reject) => {
      read(this.#descriptor, target, offset, length, position, (cause, got) => {
        if (cause) reject(diskError('read', this.#path, cause))
        else resolve(got)
      })
    })
  }

  datasync(): Promise<void> {
    return call('sync', this.#path, (done) => fdatasync(this.#descriptor, done))
  }

  truncate(length: number): Promise<void> {
    return call('truncate', this.#path, (done) => ftruncate(this.#descriptor, length, done))
  }

  size(): Promise<number> {
    return new Promise((resolve, reject) => {
      fstat(this.#descriptor, (cause, stats) => {
        if (cause) reject(diskError('stat', this.#path, cause))
        else resolve(stats.size)
      })
    })
  }

  close(): Promise<void> {
    this.#closing ??= call('close', this.#path, (done) => close(this.#descriptor, done))
    return this.#closing
  }
}

/** The buffers that remain once `written` bytes of them are done; the very array when nothing is. */
function withoutFirst(buffers: readonly Uint8Array[], written: number): readonly Uint8Array[] {
  let left = written
  for (let index = 0; index < buffers.length; index += 1) {
    const buffer = buffers[index]!
    if (left < buffer.byteLength) return [buffer.subarray(left), ...buffers.slice(index + 1)]
    left -= buffer.byteLength
  }
  return []
}

function call(action: string, path: string, run: (done: (cause: Error | null) => void) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    run((cause) => {
      if (cause) reject(diskError(action, path, cause))
      else resolve()
    })
  })
}

function fail(action: string, path: string, cause: unknown): never {
  throw diskError(action, path, cause as NodeJS.ErrnoException)
}

function diskError(action: string, path: string, cause: NodeJS.ErrnoException): SkeinError {
  const details = { path, syscall: cause.syscall ?? action, errno: cause.code ?? 'unknown' }
  if (cause.code === 'ENOSPC' || cause.code === 'EDQUOT') {
    const message = `Cannot ${action} ${path}: the disk is full; free some room, then the same call works again`
    return new SkeinError('disk-full', message, { cause, retryable: true, details })
  }
  if (cause.code === 'ENOENT') {
    return new SkeinError('not-found', `Cannot ${action} ${path}: there is no such file or directory`, {
      cause,
      details,
    })
  }
  return new SkeinError('io-failed', `Cannot ${action} ${path}: the system says ${cause.code ?? cause.message}`, {
    cause,
    details,
  })
}
