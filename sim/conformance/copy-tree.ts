import { type Disk, SkeinError } from '../../src/core/index.ts'

const CHUNK_BYTES = 1024 * 1024

/** Copies a directory as another process would see it now: what a kill would leave, and nothing else. */
export async function copyTree(disk: Disk, from: string, to: string): Promise<void> {
  await disk.makeDirectory(to)
  for (const name of await disk.list(from)) {
    // A socket belongs to its process.
    if (name.endsWith('.sock')) continue
    const [source, target] = [`${from}/${name}`, `${to}/${name}`]
    if (await isDirectory(disk, source)) await copyTree(disk, source, target)
    else await copyFile(disk, source, target)
  }
}

function isDirectory(disk: Disk, path: string): Promise<boolean> {
  return disk.list(path).then(
    () => true,
    () => false,
  )
}

/** A file that vanishes meanwhile was not to be kept. */
async function copyFile(disk: Disk, from: string, to: string): Promise<void> {
  const source = await disk.open(from, 'read').catch((error: unknown) => {
    if (error instanceof SkeinError && error.code === 'not-found') return undefined
    throw error
  })
  if (source === undefined) return
  const target = await disk.open(to, 'create')
  try {
    const chunk = new Uint8Array(CHUNK_BYTES)
    for (let at = 0; ; ) {
      const length = await source.read(chunk, at)
      if (length === 0) break
      await target.writev([chunk.subarray(0, length)], at)
      at += length
    }
  } finally {
    await source.close()
    await target.close()
  }
}
