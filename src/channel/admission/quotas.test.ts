import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { SimulatedClock } from '../../../testing/index.ts'
import { quotas } from './quotas.ts'

function request(over: { agent?: string; principal?: string; topic?: string; bytes?: number } = {}) {
  return {
    principal: over.principal,
    agent: over.agent,
    topic: over.topic ?? 't',
    messages: 1,
    bytes: over.bytes ?? 10,
  }
}

test('quotas() let a burst through at once, delay what follows, then refuse', async () => {
  const clock = new SimulatedClock()
  const admission = quotas({ clock, agents: { each: { messagesPerSecond: 10 } }, delayMsMax: 200 })
  for (let index = 0; index < 10; index += 1) assert.equal(admission.admit(request({ agent: 'a' })), undefined)
  const delayed = [admission.admit(request({ agent: 'a' })), admission.admit(request({ agent: 'a' }))]
  await assert.rejects(admission.admit(request({ agent: 'a' }))!, {
    code: 'quota-exceeded',
    retryable: true,
    message: /a is over quota.*300 ms/,
  })
  await clock.advance(100)
  await delayed[0]
  await clock.advance(100)
  await delayed[1]
  assert.equal(admission.admit(request({ agent: 'b' })), undefined, 'another agent has a quota of its own')
})

test('quotas() hold for principals, agents and topics at once, and named ones have their own', async () => {
  const clock = new SimulatedClock()
  const admission = quotas({
    clock,
    principals: { each: { messagesPerSecond: 2 } },
    topics: { named: { small: { bytesPerSecond: 100 } } },
    delayMsMax: 0,
  })
  assert.equal(admission.admit(request({ principal: 'p', topic: 'small', bytes: 100 })), undefined)
  await assert.rejects(admission.admit(request({ principal: 'q', topic: 'small', bytes: 1 }))!, /over quota/)
  assert.equal(admission.admit(request({ principal: 'p', topic: 'large', bytes: 1e6 })), undefined)
  await assert.rejects(admission.admit(request({ principal: 'p', topic: 'large' }))!, /over quota/)
})

test('a refused request takes nothing from any bucket', async () => {
  const clock = new SimulatedClock()
  const admission = quotas({
    clock,
    agents: { each: { messagesPerSecond: 5 } },
    topics: { named: { full: { bytesPerSecond: 1 } } },
    delayMsMax: 0,
  })
  for (let index = 0; index < 20; index += 1) {
    await assert.rejects(admission.admit(request({ agent: 'a', topic: 'full', bytes: 50 }))!)
  }
  for (let index = 0; index < 5; index += 1) assert.equal(admission.admit(request({ agent: 'a' })), undefined)
})

test('quotas().admitAll() lets all of a batch through or none, and counts together what takes from the same bucket', async () => {
  const clock = new SimulatedClock()
  const admission = quotas({
    clock,
    agents: { each: { messagesPerSecond: 10 } },
    principals: { each: { messagesPerSecond: 12 } },
    delayMsMax: 0,
  })
  const of = (agent: string, messages: number) => ({ ...request({ agent, principal: 'p' }), messages })
  await assert.rejects(admission.admitAll([of('a', 7), of('b', 7)])!, { code: 'quota-exceeded', retryable: false })
  await assert.rejects(admission.admitAll([of('a', 1), of('b', 11)])!, /11 messages.*the quota of b ever/)
  assert.equal(admission.admitAll([of('a', 5), of('b', 7)]), undefined, 'those refused have taken nothing')
  await assert.rejects(admission.admitAll([of('a', 1)])!, { code: 'quota-exceeded', retryable: true })
})

test('quotas() remember a bounded number of names: those beyond it share one quota until others are forgotten', async () => {
  const clock = new SimulatedClock()
  const admission = quotas({ clock, principals: { each: { messagesPerSecond: 1 } }, delayMsMax: 0 })
  for (let index = 0; index < 100_000; index += 1) admission.admit(request({ principal: `p${index}` }))
  assert.equal(admission.admit(request({ principal: 'one more' })), undefined)
  await assert.rejects(admission.admit(request({ principal: 'another' }))!, { code: 'quota-exceeded' })
  await clock.advance(1_000)
  for (const principal of ['one more', 'another']) assert.equal(admission.admit(request({ principal })), undefined)
})

test('quotas() never admit more than the burst and the rate allow', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.integer({ min: 0, max: 300 }), fc.integer({ min: 1, max: 40 }))),
      async (steps) => {
        const clock = new SimulatedClock()
        const admission = quotas({ clock, agents: { each: { bytesPerSecond: 100 } }, delayMsMax: 0 })
        let admitted = 0
        let elapsedMs = 0
        for (const [waitMs, bytes] of steps) {
          await clock.advance(waitMs)
          elapsedMs += waitMs
          const wait = admission.admit(request({ agent: 'a', bytes }))
          if (wait === undefined) admitted += bytes
          else wait.catch(() => undefined)
        }
        assert.ok(admitted <= 100 + elapsedMs / 10 + 1e-6, `${admitted} bytes in ${elapsedMs} ms`)
      },
    ),
  )
})
