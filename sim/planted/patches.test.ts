import assert from 'node:assert/strict'
import { execFile, spawnSync } from 'node:child_process'
import { globSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { readBug } from './bug.ts'

const run = promisify(execFile)
const root = dirname(dirname(import.meta.dirname))
const noGit = spawnSync('git', ['--version']).status === 0 ? false : 'needs git, which is not installed'

/** A patch that no longer fits ends the whole hunt, but only where somebody hunts: it should be seen when the code changes. */
test('Every planted bug fits the code as it is, and says to which group it belongs', { skip: noGit }, async () => {
  const files = globSync('sim/planted/**/*.patch', { cwd: root }).sort()
  assert.ok(files.length > 100, `only ${files.length} planted bugs were found`)
  // Where the project lies in somebody else's checkout git would pass over files that it does not know.
  const env = { ...process.env, GIT_CEILING_DIRECTORIES: dirname(root) }
  const stale: string[] = []
  for (const file of files) {
    const { group } = readBug(join(root, file))
    assert.match(group, /^(fabric|raft|consensus)$/, `${file} belongs to no group`)
    await run('git', ['apply', '--check', file], { cwd: root, env }).catch((error) =>
      stale.push(`${file}: ${error.stderr}`),
    )
  }
  assert.deepEqual(stale, [])
})
