import assert from 'node:assert/strict'
import { test } from 'node:test'
import { endlessUrgency } from '../../../../test/endless-urgency.ts'
import { SessionPair } from '../../../../test/session-pair.ts'
import { SimulatedClock } from '../../../../testing/index.ts'
import { SkeinError } from '../../../core/index.ts'
import { type IncomingCall, Lane, Precedence, SESSION_LIMITS } from '../../../wire/index.ts'
import { WriteLane } from './write-lane.ts'

const BODY = Buffer.alloc(32 * 1024)
const SECTIONS = 64
const WELCOME = {
  connectionId: 'c',
  resumeToken: 't',
  resumed: false,
  windowBytes: SESSION_LIMITS.windowBytes,
  pendingBytesMax: 4 * 1024 * 1024,
  messageBytesMax: SESSION_LIMITS.messageBytesMax,
}

/** A lane for telemetry and one for commands, to a node that stores telemetry at once and commands when told to. */
function lanes() {
  const clock = new SimulatedClock()
  const stored: unknown[] = []
  const command = Promise.withResolvers<void>()
  const onCall = async (call: IncomingCall) => {
    if (call.lane === Lane.urgent) await command.promise
    stored.push(call.head.name)
    return {}
  }
  const sessions = new SessionPair({ clock, onCall })
  const precedence = new Precedence(clock)
  const lane = (which: Lane) => {
    const made = new WriteLane(which, precedence)
    made.onConnected(sessions.client, WELCOME)
    const receipts: string[] = []
    const push = (name: string) =>
      made.push({
        head: { name },
        body: [BODY],
        byteLength: BODY.length,
        isRepeatable: true,
        wasSent: false,
        onStored: () => receipts.push(name),
        onFailed: (error) => assert.fail(error),
      })
    return { push, receipts }
  }
  return { clock, precedence, sessions, stored, command, bulk: lane(Lane.bulk), urgent: lane(Lane.urgent) }
}

const NAMES = Array.from({ length: SECTIONS }, (_, index) => `bulk ${index}`)

test('Telemetry waits while a command is being stored, and is written in its order once that is over', async () => {
  const { clock, sessions, stored, command, bulk, urgent } = lanes()
  urgent.push('command')
  for (const name of NAMES) bulk.push(name)
  await clock.advance(10)
  sessions.carry()
  assert.deepEqual(stored, [])
  command.resolve()
  await clock.advanceUntil(() => {
    sessions.carry()
    return bulk.receipts.length === SECTIONS
  })
  assert.deepEqual(stored, ['command', ...NAMES])
  assert.deepEqual(urgent.receipts, ['command'])
})

test('Telemetry is written under urgent work without end, in its order', async () => {
  const { clock, precedence, sessions, bulk } = lanes()
  const urgency = endlessUrgency({ precedence, clock }, { durationMs: 5_000, eachStep: () => sessions.carry() })
  for (const name of NAMES) bulk.push(name)
  await urgency
  assert.deepEqual(bulk.receipts, NAMES)
})

test('A command is sent at once, whatever telemetry waits', async () => {
  const { clock, precedence, sessions, command, bulk, urgent } = lanes()
  const over = precedence.begin()
  for (const name of NAMES) bulk.push(name)
  urgent.push('command')
  command.resolve()
  await clock.advance(0)
  sessions.carry()
  await clock.advance(0)
  sessions.carry()
  await clock.advance(0)
  assert.deepEqual([urgent.receipts, bulk.receipts], [['command'], []])
  over()
})

test('After a broken connection what was on its way goes before what waited, in its order', async () => {
  const clock = new SimulatedClock()
  const first = new SessionPair({ clock, onCall: () => new Promise(() => {}) })
  const stored: unknown[] = []
  const second = new SessionPair({
    clock,
    onCall: async ({ head }) => {
      stored.push(head.name)
      return {}
    },
  })
  const lane = new WriteLane(Lane.bulk, new Precedence(clock))
  // Few fit into the window at once.
  const welcome = { ...WELCOME, pendingBytesMax: 8 * BODY.length }
  lane.onConnected(first.client, welcome)
  const receipts: string[] = []
  for (const name of NAMES) {
    lane.push({
      head: { name },
      ...{ body: [BODY], byteLength: BODY.length, isRepeatable: true, wasSent: false },
      onStored: () => receipts.push(name),
      onFailed: (error) => assert.fail(error),
    })
  }
  first.carry()
  await clock.advance(10)
  lane.onBroken(new SkeinError('connection-lost', 'The connection has ended'))
  lane.onConnected(second.client, welcome)
  await clock.advanceUntil(() => {
    second.carry()
    return receipts.length === SECTIONS
  })
  assert.deepEqual(stored, NAMES)
  assert.deepEqual(receipts, NAMES)
})
