import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import Type from 'typebox'
import { atEnd } from '../../test/at-end.ts'
import type { Clock } from '../core/index.ts'
import { systemClock } from '../core/system/index.ts'
import { connect } from './connect.ts'
import { command, contract, telemetry } from './index.ts'

const Go = command('swarm.commands.{agentId}.go', {
  schema: Type.Object({}),
  startWithinMs: 1_500,
  overlap: 'queue',
})
const Position = telemetry('swarm.telemetry.{agentId}', { schema: Type.Object({}), durability: 'durable' })
const HOUR_MS = 3_600_000
const drone = { id: 'drone-7', type: 'quadrotor', region: 'north' }

function clockAt(offsetMs: number): Clock {
  return { ...systemClock, nowMs: () => Date.now() + offsetMs }
}

test('A command that was late when the node stopped is late after its clock was set back', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'skein-time-'))
  atEnd(t, () => rm(directory, { recursive: true, force: true }))
  const open = (offsetMs: number) =>
    connect(`embedded:${directory}`, { contract: contract({ Go, Position }), clock: clockAt(offsetMs) })
  const ahead = await open(HOUR_MS)
  const before = await ahead.join(drone)
  await before.leave()
  const sent = await ahead.send(Go, drone.id, {}, { intentId: 'one', timeoutMs: 50 })
  assert.equal(sent.state, 'unknown')
  await systemClock.sleep(Go.startWithinMs)
  // The log has seen a time at which the command was late.
  await ahead.publish(Position, {}, { fields: { agentId: drone.id } })
  await ahead.close()
  const back = await open(0)
  atEnd(t, () => back.close())
  const started: string[] = []
  const agent = await back.join(drone)
  agent.handle(Go, ({ intentId }) => void started.push(intentId))
  // What is sent now is handled: whatever was there before it has been looked at.
  const outcome = await back.send(Go, drone.id, {}, { intentId: 'two' })
  assert.equal(outcome.state, 'done')
  assert.deepEqual(started, ['two'])
})
