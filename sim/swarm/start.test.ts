import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { until } from '../../test/until.ts'

const START = fileURLToPath(import.meta.resolve('./start.ts'))

const isThere = (pid: number) => {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

/** The processes that this one has started. */
async function childrenOf(pid: number): Promise<readonly number[]> {
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')
  return children.split(' ').filter(Boolean).map(Number)
}

for (const [when, started] of [
  ['while its node starts', 1],
  ['while its agents start', 4],
] as const) {
  test(`Ctrl-C ${when} ends the show quietly, and leaves nothing running`, async () => {
    // A group of its own, as a terminal has it: Ctrl-C is for all of it.
    const child = spawn(process.execPath, [START], { stdio: ['ignore', 'pipe', 'pipe'], detached: true })
    const ended = Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')])
    let pids: readonly number[] = []
    await until(async () => {
      pids = await childrenOf(child.pid!)
      return pids.length >= started
    })
    process.kill(-child.pid!, 'SIGINT')
    const [output, errors, [code]] = await ended
    assert.equal(code, 130, errors)
    assert.equal(output, '')
    assert.doesNotMatch(errors, /^ +at |Error/m)
    for (const pid of pids) assert.ok(!isThere(pid), `process ${pid} is still there`)
  })
}

test('The whole swarm runs, loses an agent, gets it back, and passes its audit', async () => {
  const child = spawn(process.execPath, [START, '--seconds', '8', '--json'], { stdio: ['ignore', 'pipe', 'pipe'] })
  const [output, errors, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')])
  assert.equal(code, 0, errors)
  assert.equal(output.trim().split('\n').length, 1, 'standard output is one line of JSON')
  const summary = JSON.parse(output)
  assert.ok(summary.agents >= 12 && summary.types >= 4)
  assert.equal(new Set(summary.processes.map(({ pid }: { pid: number }) => pid)).size, summary.processes.length)
  assert.equal(summary.recovered, true)
})
