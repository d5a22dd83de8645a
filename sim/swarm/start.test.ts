import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

const START = fileURLToPath(import.meta.resolve('./start.ts'))

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
