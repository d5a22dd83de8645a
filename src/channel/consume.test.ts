import assert from 'node:assert/strict'
import { test } from 'node:test'
import Type from 'typebox'
import { channelsInMemory } from '../../test/channels-in-memory.ts'
import { until } from '../../test/until.ts'
import type { ReceivedMessage } from './consume/received-message.ts'
import { telemetry } from './telemetry.ts'

const Step = telemetry('work.{agentId}', {
  schema: Type.Object({ n: Type.Integer() }),
  key: 'agentId',
})
type Step = { n: number }
const agent = (id: string) => ({ id, type: 'rover', region: 'north', epoch: 1 })
const quickly = { retry: { delayMs: 1, delayMsMax: 5, attemptsMax: 3 } }

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, index) => from + index)
}

test('consume() acknowledges by asking for the next batch; leaving the loop gives back, and counts', async (t) => {
  const { channels } = await channelsInMemory(t)
  await channels.open([Step])
  const rover = channels.as(agent('rover'))
  await Promise.all(range(0, 30).map((n) => rover.publish(Step, { n })))
  const attempts = new Map<number, number[]>()
  const note = (message: ReceivedMessage<Step>) => {
    attempts.set(message.value.n, [...(attempts.get(message.value.n) ?? []), message.attempt])
  }
  let batches = 0
  for await (const batch of await channels.consume(Step, { group: 'g', messagesMax: 10 })) {
    for (const message of batch) note(message)
    batches += 1
    if (batches === 2) break
  }
  for await (const batch of await channels.consume(Step, { group: 'g', messagesMax: 10 })) {
    for (const message of batch) note(message)
    if (attempts.size === 30) break
  }
  for (const n of range(0, 10)) assert.deepEqual(attempts.get(n), [1], `message ${n}`)
  for (const n of range(10, 20)) assert.deepEqual(attempts.get(n), [1, 2], `message ${n}`)
})

test('a loop ends with its signal, and its reader is closed, so that the group goes on elsewhere', async (t) => {
  const { channels } = await channelsInMemory(t)
  await channels.open([Step])
  const rover = channels.as(agent('rover'))
  await rover.publish(Step, { n: 0 })
  const abort = new AbortController()
  const seen: number[] = []
  const loop = async () => {
    for await (const batch of await channels.consume(Step, { group: 'g', signal: abort.signal })) {
      for (const message of batch) seen.push(message.value.n)
      abort.abort(new Error('enough'))
    }
  }
  await assert.rejects(loop(), { message: 'enough' })
  await rover.publish(Step, { n: 1 })
  const processing = await channels.process(Step, { group: 'g' }, (message) => {
    seen.push(message.value.n)
  })
  await until(() => seen.length === 2)
  await processing.stop()
  assert.deepEqual(seen, [0, 1])
})

test('poison that makes every loop leave ends as a dead letter', async (t) => {
  const { channels } = await channelsInMemory(t)
  await channels.open([Step])
  const rover = channels.as(agent('rover'))
  await rover.publish(Step, { n: 13 })
  await rover.publish(Step, { n: 14 })
  const attempts: number[] = []
  const readOnce = async () => {
    for await (const batch of await channels.consume(Step, { group: 'g', messagesMax: 1, ...quickly })) {
      for (const message of batch) {
        if (message.value.n === 14) return 'past it'
        attempts.push(message.attempt)
        throw new Error('the loop crashes')
      }
    }
    return 'ended'
  }
  let result = await readOnce().catch(() => 'crashed')
  while (result === 'crashed') result = await readOnce().catch(() => 'crashed')
  assert.equal(result, 'past it')
  assert.deepEqual(attempts, [1, 2, 3])
  assert.equal((await channels.deadLetters(Step)).length, 1)
})

test('consume() settles single messages, and holds back later ones of a retried key', async (t) => {
  const { channels } = await channelsInMemory(t)
  await channels.open([Step])
  const [one, other] = [channels.as(agent('one')), channels.as(agent('other'))]
  await Promise.all(range(0, 5).flatMap((n) => [one.publish(Step, { n }), other.publish(Step, { n })]))
  const done: string[] = []
  for await (const batch of await channels.consume(Step, { group: 'g', ...quickly })) {
    for (const message of batch) {
      if (message.key === 'one' && message.value.n === 1 && message.attempt === 1) batch.retry(message)
      else if (message.key === 'other' && message.value.n === 3) batch.dead(message, { error: 'not wanted' })
      else done.push(`${message.key} ${message.value.n}`)
    }
    if (done.length === 9) break
  }
  assert.deepEqual(
    done.filter((text) => text.startsWith('one')),
    range(0, 5).map((n) => `one ${n}`),
  )
  assert.deepEqual(
    (await channels.deadLetters(Step)).map(({ origin }) => origin.error),
    ['not wanted'],
  )
})
