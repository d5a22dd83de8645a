import { mkdir, mkdtemp, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

const LOOK_AGAIN_MS = 250

/**
 * The folder `target`, filled by `fill` when it is not there yet. It appears whole or not at all, and processes that want it
 * at once wait for the first of them.
 */
export async function fetchOnce(target: string, fill: (folder: string) => Promise<void>): Promise<string> {
  if (await exists(target)) return target
  await mkdir(dirname(target), { recursive: true })
  const release = await lock(`${target}.lock`)
  try {
    if (await exists(target)) return target
    const folder = await mkdtemp(`${target}.part-`)
    try {
      await fill(folder)
      await rename(folder, target)
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
    return target
  } finally {
    await release()
  }
}

function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  )
}

/** A file with the holder's process id: a holder that died holds nothing. */
async function lock(path: string): Promise<() => Promise<void>> {
  for (;;) {
    try {
      await writeFile(path, String(process.pid), { flag: 'wx' })
      return () => rm(path, { force: true })
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
    const holder = Number(await readFile(path, 'utf8').catch(() => ''))
    if (holder > 0 && !isAlive(holder)) await rm(path, { force: true })
    else await delay(LOOK_AGAIN_MS)
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
