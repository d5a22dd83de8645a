import assert from 'node:assert/strict'
import { test } from 'node:test'
import Type from 'typebox'
import { channelsInMemory } from '../../test/channels-in-memory.ts'
import { until } from '../../test/until.ts'
import { query } from './query.ts'

const Where = query('swarm.queries.{agentId}.where', {
  schema: Type.Object({ precise: Type.Boolean() }),
  reply: Type.Object({ latitude: Type.Number() }),
  timeoutMs: 60_000,
})
const drone = { id: 'drone-7', type: 'quadrotor', region: 'north', epoch: 1 }

test('ask() gets the answer of the one whose subject it names', async (t) => {
  const { channels } = await channelsInMemory(t)
  await channels.as(drone).answer(Where, ({ value, fields }) => {
    assert.deepEqual(fields, { agentId: 'drone-7' })
    return { latitude: value.precise ? 52.5163 : 53 }
  })
  await channels.as({ ...drone, id: 'drone-8' }).answer(Where, async () => ({ latitude: 8 }))
  const fields = { agentId: 'drone-7' }
  assert.deepEqual(await channels.ask(Where, { precise: true }, { fields }), { latitude: 52.5163 })
  assert.deepEqual(await channels.as(drone).ask(Where, { precise: true }, { fields: { agentId: 'drone-8' } }), {
    latitude: 8,
  })
})

test('ask() says at once that nobody answers, and refuses a bad question before the bus', async (t) => {
  const { channels } = await channelsInMemory(t)
  const fields = { agentId: 'drone-9' }
  await assert.rejects(channels.ask(Where, { precise: true }, { fields }), { code: 'no-responder' })
  await assert.rejects(channels.ask(Where, {} as never, { fields }), { code: 'schema-mismatch', message: /\/precise/ })
  await assert.rejects(channels.ask(Where, { precise: true }), { code: 'bad-subject' })
})

test('ask() ends at its deadline, and the answerer is told by its signal', async (t) => {
  const { channels } = await channelsInMemory(t)
  let isAborted = false
  await channels.as(drone).answer(Where, (_question, { signal }) => {
    signal.addEventListener('abort', () => {
      isAborted = true
    })
    return new Promise(() => {})
  })
  const fields = { agentId: 'drone-7' }
  await assert.rejects(channels.ask(Where, { precise: true }, { fields, timeoutMs: 30 }), { code: 'timeout' })
  // Long before the channel's own limit.
  await until(() => isAborted)
  const signal = AbortSignal.abort(new Error('no longer needed'))
  await assert.rejects(channels.ask(Where, { precise: true }, { fields, signal }), { message: 'no longer needed' })
})

test('an answerer that throws or answers badly fails that question alone', async (t) => {
  const { channels } = await channelsInMemory(t)
  let calls = 0
  const stop = await channels.as(drone).answer(Where, () => {
    calls += 1
    if (calls === 1) throw new Error('no fix yet')
    return calls === 2 ? ({ latitude: 'x' } as never) : { latitude: 1 }
  })
  const fields = { agentId: 'drone-7' }
  const ask = () => channels.ask(Where, { precise: true }, { fields })
  await assert.rejects(ask(), { code: 'handler-failed', message: /no fix yet/ })
  await assert.rejects(ask(), { code: 'handler-failed', details: { code: 'schema-mismatch' } })
  assert.deepEqual(await ask(), { latitude: 1 })
  await stop()
  await assert.rejects(ask(), { code: 'no-responder' })
})
