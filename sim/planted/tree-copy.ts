import { execFile } from 'node:child_process'
import { cp, mkdtemp, readFile, rm, symlink } from 'node:fs/promises'
import { stripTypeScriptTypes } from 'node:module'
import { tmpdir } from 'node:os'
import { join, relative, resolve } from 'node:path'
import { promisify } from 'node:util'
import type { Bug } from './bug.ts'

const run = promisify(execFile)
const LEFT_OUT = new Set(['node_modules', 'dist', '.git', '.skein', 'data'])

/** Copies the project to a folder of its own, its packages linked. The caller deletes it. */
export async function copyTree(root: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'skein-planted-'))
  await cp(root, folder, { recursive: true, filter: (path) => !LEFT_OUT.has(relative(root, path)) })
  await symlink(join(root, 'node_modules'), join(folder, 'node_modules'))
  return folder
}

/** Applies the bug's patch to the copy; throws when it does not fit, or leaves a file that is no TypeScript. */
export async function plant(bug: Bug, folder: string): Promise<void> {
  const file = resolve(bug.file)
  try {
    await run('git', ['apply', '--whitespace=nowarn', file], {
      cwd: folder,
      env: { ...process.env, GIT_CEILING_DIRECTORIES: tmpdir() },
    })
  } catch (cause) {
    await run('patch', ['-p1', '--batch', '--forward', '-i', file], { cwd: folder }).catch(() => {
      throw new Error(`Cannot plant ${bug.file}: it does not apply to this tree`, { cause })
    })
  }
  for (const path of bug.touches) await checkSyntax(bug, join(folder, path))
}

/** A file that does not even load would be caught by anything: that proves nothing. */
async function checkSyntax(bug: Bug, path: string): Promise<void> {
  const text = await readFile(path, 'utf8').catch(() => '')
  try {
    stripTypeScriptTypes(text)
  } catch (cause) {
    throw new Error(`Cannot plant ${bug.file}: it leaves a syntax error`, { cause })
  }
}

export async function removeTree(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true })
}
