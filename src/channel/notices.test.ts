import assert from 'node:assert/strict'
import { test } from 'node:test'
import Type from 'typebox'
import { channelsInMemory } from '../../test/channels-in-memory.ts'
import { until } from '../../test/until.ts'
import { systemClock } from '../core/system/index.ts'
import { notice } from './notice.ts'

test('listen() hears notices from now on, and notify() never waits', async (t) => {
  const { channels, errors } = await channelsInMemory(t)
  const Alert = notice('swarm.alerts', { schema: Type.Object({ level: Type.Integer() }) })
  const heard: number[] = []
  channels.notify(Alert, { level: 0 })
  const listening = await channels.listen(Alert, (message) => {
    heard.push(message.value.level)
    if (message.value.level === 1) throw new Error('a listener fails')
  })
  for (const level of [1, 2, 3]) assert.equal(channels.notify(Alert, { level }), undefined)
  await until(() => heard.includes(3))
  assert.deepEqual(heard.slice(-3), [1, 2, 3])
  assert.deepEqual(
    errors.map((error) => (error as Error).message),
    ['a listener fails'],
  )
  await listening.stop()
  channels.notify(Alert, { level: 4 })
  assert.equal(heard.at(-1), 3)
})

test('a slow listener loses the oldest notices, counted, and slows nobody', async (t) => {
  const { channels } = await channelsInMemory(t)
  const Alert = notice('swarm.alerts', { schema: Type.Object({ text: Type.String() }) })
  const gate = Promise.withResolvers<void>()
  let heard = 0
  const listening = await channels.listen(Alert, async () => {
    heard += 1
    await gate.promise
  })
  await channels.open([Alert])
  const text = 'x'.repeat(100_000)
  for (let index = 0; index < 200; index += 1) {
    channels.notify(Alert, { text })
    await systemClock.sleep(0)
  }
  await until(() => listening.dropped > 0)
  gate.resolve()
  await listening.stop()
  assert.ok(heard < 200 && listening.dropped > 0)
})
