import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { requireService } from '../../test/services/require-service.ts'

const START = fileURLToPath(import.meta.resolve('./start.ts'))
const nats = await requireService('nats')
const kafka = await requireService('kafka')

async function start(...args: readonly string[]) {
  const child = spawn(process.execPath, [START, ...args, '--json'], { stdio: ['ignore', 'pipe', 'pipe'] })
  const [output, errors, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')])
  assert.equal(output.trim().split('\n').length, 1, `standard output is one line of JSON: ${output}\n${errors}`)
  return { summary: JSON.parse(output), errors, code: code as number }
}

test('The swarm runs on a broker that the command starts, and passes the same audit', { skip: nats.skip }, async () => {
  const { summary, errors, code } = await start('--brokers', 'nats', '--seconds', '8')
  assert.equal(code, 0, errors)
  assert.match(errors, /"safe" is lowered to "written"/)
  const { telemetry, commands, brokers } = summary
  assert.deepEqual([telemetry.lost, commands.duplicateEffects, telemetry.durability], [0, 0, 'written'])
  assert.deepEqual(brokers, [{ name: 'nats', version: brokers[0].version, restarts: 0 }])
})

test('A broker that cannot carry the swarm is refused before any of it starts', { skip: kafka.skip }, async () => {
  const { summary, errors, code } = await start('--brokers', 'kafka', '--seconds', '8')
  assert.equal(code, 1)
  assert.deepEqual([summary.error.code, summary.error.details.broker], ['unsupported', 'kafka'])
  assert.doesNotMatch(errors, /Starting a node/)
})
