import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { atEnd } from '../test/at-end.ts'

const STARTER = `
import { startNodeProcess } from './sim/node-process.ts'
const node = await startNodeProcess({ dataDirectory: process.argv[1], detached: true })
console.log(node.pid)
setInterval(() => {}, 1_000)
`

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

test('A node ends when the process that started it was killed, even one out of its process group', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'skein-orphan-'))
  atEnd(t, () => rm(directory, { recursive: true, force: true }))
  const args = ['--input-type=module', '--eval', STARTER, join(directory, 'data')]
  const starter = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  atEnd(t, () => starter.kill('SIGKILL'))
  const [line] = (await once(starter.stdout, 'data')) as [Buffer]
  const pid = Number(line.toString())
  assert.ok(isAlive(pid))
  starter.kill('SIGKILL')
  const untilMs = performance.now() + 15_000
  while (isAlive(pid)) {
    assert.ok(performance.now() < untilMs, `the node ${pid} goes on without anybody`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
})
