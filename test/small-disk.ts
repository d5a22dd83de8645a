import { execFileSync } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'

/** A file system of its own, so small that it can be filled; a string says why there can be none. */
export async function smallDisk(t: TestContext, bytes: number): Promise<{ readonly path: string } | string> {
  if (process.getuid?.() !== 0) return 'a file system of its own can be mounted by root only'
  const path = await mkdtemp(join(tmpdir(), 'skein-disk-'))
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${bytes}`, 'tmpfs', path], { stdio: 'pipe' })
  } catch (error) {
    await rm(path, { recursive: true, force: true })
    return `this machine mounts no tmpfs: ${(error as { stderr?: Buffer }).stderr ?? error}`
  }
  // Lazily: the node on it may be stopped after this.
  t.after(async () => {
    execFileSync('umount', ['--lazy', path])
    await rm(path, { recursive: true, force: true })
  })
  return { path }
}
