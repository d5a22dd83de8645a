import { type Disk, SkeinError } from '../../../core/index.ts'

/** Removes a directory and everything below it; one that is not there is fine. */
export async function removeTree(disk: Disk, path: string): Promise<void> {
  // Only a directory can be listed.
  const entries = await disk.list(path).catch(() => [])
  for (const entry of entries) await removeTree(disk, `${path}/${entry}`)
  try {
    await disk.remove(path)
  } catch (error) {
    if (!(error instanceof SkeinError && error.code === 'not-found')) throw error
  }
}
