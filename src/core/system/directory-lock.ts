import { createHash } from 'node:crypto'
import { promises, realpathSync, statSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import type { DiskLock } from '../disk.ts'
import { SkeinError } from '../errors.ts'
import { claimSocket } from './claim-socket.ts'
import { listen } from './listen.ts'

const OWNER_FILE = 'owner.json'

/**
 * Takes a directory for this process. The lock is a listening socket in Linux's abstract namespace (elsewhere, a socket
 * in the temporary directory), named after the directory's device and inode: the kernel gives it to one process and
 * takes it back when that process dies, so that no stale lock can remain. That namespace belongs to the network's:
 * against processes in other containers on the same volume a second socket lies in the directory itself. The file beside
 * it only says who holds it.
 */
export async function lockDirectory(directory: string): Promise<DiskLock> {
  const server = createServer((socket) => socket.destroy())
  try {
    await listen(server, socketName(directory))
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw cannotLock(directory, cause)
    throw await heldBySomebody(directory, cause)
  }
  server.unref()
  const close = () => new Promise<void>((resolve) => server.close(() => resolve()))
  let place: DiskLock | undefined
  try {
    place = process.platform === 'linux' ? await claimSocket(directory) : undefined
  } catch (cause) {
    await close()
    throw await heldBySomebody(directory, cause)
  }
  const owner = join(directory, OWNER_FILE)
  const text = `${JSON.stringify({ pid: process.pid, since: new Date().toISOString() })}\n`
  // Only for the message that the next one gets: a disk that is full or read-only must not keep us out.
  await promises.writeFile(owner, text).catch(() => undefined)
  let released: Promise<void> | undefined
  return {
    release(): Promise<void> {
      released ??= promises
        .rm(owner, { force: true })
        .catch(() => undefined)
        .then(() => place?.release())
        .then(close)
      return released
    },
  }
}

function socketName(directory: string): string {
  const { dev, ino } = statSync(directory)
  if (process.platform === 'linux') return `\0skein-directory-${dev}-${ino}`
  const hash = createHash('sha256').update(realpathSync(directory)).digest('hex').slice(0, 32)
  return process.platform === 'win32' ? `\\\\.\\pipe\\skein-${hash}` : `/tmp/skein-${hash}.sock`
}

async function heldBySomebody(directory: string, cause: unknown): Promise<SkeinError> {
  const text = await promises.readFile(join(directory, OWNER_FILE), 'utf8').catch(() => '{}')
  let owner: { pid?: number; since?: string } = {}
  try {
    owner = JSON.parse(text) as typeof owner
  } catch {
    // Half written: the name of the holder is a courtesy, the socket is the lock.
  }
  const who = owner.pid === undefined ? 'another process' : `process ${owner.pid} since ${owner.since}`
  return new SkeinError('locked', `Cannot open ${directory}: it is in use by ${who}; stop that one first`, {
    cause,
    details: { directory, pid: owner.pid },
  })
}

function cannotLock(directory: string, cause: unknown): SkeinError {
  return new SkeinError('io-failed', `Cannot lock ${directory}: ${(cause as Error).message}`, {
    cause,
    details: { directory, syscall: 'lock', errno: (cause as NodeJS.ErrnoException).code ?? 'unknown' },
  })
}
