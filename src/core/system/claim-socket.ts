import { randomBytes } from 'node:crypto'
import { closeSync, openSync, promises } from 'node:fs'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import type { DiskLock } from '../disk.ts'
import { listen } from './listen.ts'

const NAME = 'lock.sock'

/**
 * Holds a directory by a socket in it, which processes of every container on the same machine see: whoever listens there
 * holds it, and one that nobody answers at is of a process that has died. Rejects with the cause when somebody holds it;
 * resolves to undefined where the file system has no sockets.
 */
export async function claimSocket(directory: string): Promise<DiskLock | undefined> {
  const folder = openSync(directory, 'r')
  // The path of a socket may have 107 bytes: by its descriptor, a directory has a short one.
  const at = (name: string) => `/proc/self/fd/${folder}/${name}`
  const own = `lock-${randomBytes(8).toString('hex')}.sock`
  const server = createServer((socket) => socket.destroy())
  try {
    await listen(server, at(own))
  } catch {
    closeSync(folder)
    return undefined
  }
  server.unref()
  const release = async () => {
    await promises.rm(join(directory, own), { force: true }).catch(() => undefined)
    await new Promise<void>((resolve) => server.close(() => resolve()))
    closeSync(folder)
  }
  try {
    await takeName(directory, { own, isAnswered: (name) => isAnswered(at(name)) })
  } catch (cause) {
    await release()
    throw cause
  }
  return {
    release: async () => {
      await promises.rm(join(directory, NAME), { force: true }).catch(() => undefined)
      await release()
    },
  }
}

/** A hard link is made only where there is none: of several that try, one gets the name. */
async function takeName(
  directory: string,
  { own, isAnswered }: { readonly own: string; readonly isAnswered: (name: string) => Promise<boolean> },
): Promise<void> {
  for (;;) {
    try {
      await promises.link(join(directory, own), join(directory, NAME))
      return
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') return
      if (await isAnswered(NAME)) throw cause
    }
    // Moved away and asked again, so that it is certainly the dead one that goes: another may just have taken its place.
    const stale = `${own}.stale`
    const isMoved = await promises.rename(join(directory, NAME), join(directory, stale)).then(
      () => true,
      () => false,
    )
    if (!isMoved) continue
    if (await isAnswered(stale))
      await promises.link(join(directory, stale), join(directory, NAME)).catch(() => undefined)
    await promises.rm(join(directory, stale), { force: true })
  }
}

function isAnswered(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ path })
    const answer = (isThere: boolean) => {
      socket.destroy()
      resolve(isThere)
    }
    socket.once('connect', () => answer(true))
    // Whoever is too busy to answer is there.
    socket.once('error', ({ code }: NodeJS.ErrnoException) => answer(code !== 'ECONNREFUSED' && code !== 'ENOENT'))
  })
}
