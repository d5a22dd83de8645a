import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { endlessUrgency } from '../../../test/endless-urgency.ts'
import { SessionPair } from '../../../test/session-pair.ts'
import { SimulatedClock, seededRandom } from '../../../testing/index.ts'
import { openEmbeddedBus } from '../../bus/drivers/embedded/index.ts'
import { memoryDisk } from '../../core/index.ts'
import { Lane, Precedence, type SessionLimits } from '../../wire/index.ts'
import { ReaderPump } from './reader-pump.ts'

const TOPIC = 'swarm.telemetry'
const VALUE_BYTES = 32 * 1024
const MESSAGES = 256
/** Stored batches of 128 KiB: they are read whole. */
const WRITTEN_AT_ONCE = 4

/** A pump over a log of 8 MiB and a session, to a client that has room for all of it. */
async function pumped(
  context: TestContext,
  limits: Partial<SessionLimits> = {},
  credit: number = Number.MAX_SAFE_INTEGER,
) {
  const clock = new SimulatedClock()
  const random = seededRandom(1)
  const bus = await clock.until(openEmbeddedBus({ disk: memoryDisk(), clock, random, directory: 'data' }))
  await clock.until(bus.open({ name: TOPIC, intent: 'telemetry', partitions: 1, durability: 'none' }))
  const value = 'x'.repeat(VALUE_BYTES)
  for (let written = 0; written < MESSAGES; written += WRITTEN_AT_ONCE) {
    const messages = Array.from({ length: WRITTEN_AT_ONCE }, () => ({ subject: TOPIC, key: 'k', value }))
    await clock.until(bus.writer(TOPIC).write(messages))
  }
  const sessions = new SessionPair({ clock, limits })
  const precedence = new Precedence(clock)
  const pump = new ReaderPump({
    id: 1,
    session: sessions.node,
    precedence,
    clock,
    reader: bus.rawReader(TOPIC, { mode: 'broadcast', from: 'earliest' }),
    lane: Lane.bulk,
    isGroup: false,
    credit,
    epoch: 1,
  })
  context.after(async () => {
    await clock.until(pump.close('close'))
    await clock.until(bus.close())
  })
  const come = () => sessions.casts.reduce((sum, { head }) => sum + (head.count as number), 0)
  return { clock, precedence, sessions, pump, come }
}

test('Telemetry waits while one piece of urgent work is under way, and comes once it is over', async (context) => {
  const { clock, precedence, sessions, pump, come } = await pumped(context)
  const over = precedence.begin()
  pump.start()
  await clock.advance(10)
  sessions.carry()
  assert.equal(come(), 0)
  over()
  await clock.advanceUntil(() => {
    sessions.carry()
    return come() === MESSAGES
  })
})

test('Telemetry comes under urgent work without end', async (context) => {
  const { clock, precedence, sessions, pump, come } = await pumped(context)
  const urgency = endlessUrgency({ precedence, clock }, { durationMs: 3_000, eachStep: () => sessions.carry() })
  pump.start()
  await urgency
  assert.equal(come(), MESSAGES)
})

test('A client that does not read its socket costs no more than a short lane, whatever its credit, and goes on later', async (context) => {
  // Whatever waits for it beyond this would cut it off.
  const { clock, sessions, pump, come } = await pumped(context, { pendingBytesMax: 1024 * 1024 })
  pump.start()
  await clock.advance(10_000)
  assert.ok(sessions.node.isOpen, 'it was cut off')
  assert.equal(come(), 0)
  await clock.advanceUntil(() => {
    sessions.carry()
    return come() === MESSAGES
  })
  assert.ok(sessions.node.isOpen)
})

test('Credit for what was sent before a seek does not count after it', async (context) => {
  const { clock, sessions, pump, come } = await pumped(context, {}, 4 * VALUE_BYTES)
  const comeNow = async () => {
    await clock.advance(100)
    sessions.carry()
    await clock.advance(100)
    sessions.carry()
    return come()
  }
  pump.start()
  assert.ok((await comeNow()) > 0)
  await clock.until(pump.seek('earliest', { epoch: 2, credit: 0 }))
  const before = await comeNow()
  pump.onCredit({ bytes: 64 * VALUE_BYTES, epoch: 1 })
  assert.equal(await comeNow(), before)
  pump.onCredit({ bytes: 64 * VALUE_BYTES, epoch: 2 })
  assert.ok((await comeNow()) > before)
})
