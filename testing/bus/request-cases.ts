import assert from 'node:assert/strict'
import { patience } from './patience.ts'
import { rejectsWith, until } from './suite-topic.ts'
import type { BusCase } from './world.ts'

const SUBJECT = 'suite.requests.sum'

export const requestCases: readonly BusCase[] = [
  {
    name: 'a request gets the reply of whoever answers its subject',
    needs: ['requests'],
    async run({ bus }) {
      const stop = await bus.requests.answer(SUBJECT, async ({ value, headers, subject }) => ({
        value: `${Buffer.from(value).toString()} ${subject}`,
        headers: { seen: headers?.mark ?? '' },
      }))
      const request = { subject: SUBJECT, value: 'frage', headers: { mark: 'x' } }
      const reply = await bus.requests.ask(request, { timeoutMs: patience().comesWithinMs })
      assert.equal(Buffer.from(reply.value).toString(), `frage ${SUBJECT}`)
      assert.equal(reply.headers?.seen, 'x')
      await stop()
      await rejectsWith('no-responder', bus.requests.ask(request, { timeoutMs: patience().comesWithinMs }))
    },
  },
  {
    name: 'a request that nobody answers rejects with no-responder at once',
    needs: ['requests'],
    async run({ bus }) {
      const begun = performance.now()
      await rejectsWith('no-responder', bus.requests.ask({ subject: 'suite.nobody', value: '' }, { timeoutMs: 60_000 }))
      assert.ok(performance.now() - begun < patience().comesWithinMs)
    },
  },
  {
    name: 'a request rejects with timeout at its deadline, and with the reason of its signal',
    needs: ['requests'],
    async run({ bus }) {
      await bus.requests.answer(SUBJECT, () => new Promise(() => {}))
      await rejectsWith('timeout', bus.requests.ask({ subject: SUBJECT, value: '' }, { timeoutMs: 50 }))
      const stop = new AbortController()
      const reason = new Error('enough')
      const asked = bus.requests.ask({ subject: SUBJECT, value: '' }, { timeoutMs: 60_000, signal: stop.signal })
      stop.abort(reason)
      await assert.rejects(asked, reason)
    },
  },
  {
    name: 'several who answer share the requests',
    needs: ['requests'],
    async run({ bus }) {
      const counts = [0, 0]
      for (const index of [0, 1]) {
        await bus.requests.answer(SUBJECT, async () => {
          counts[index]! += 1
          return { value: '' }
        })
      }
      await until('both have answered', async () => {
        await bus.requests.ask({ subject: SUBJECT, value: '' }, { timeoutMs: patience().comesWithinMs })
        return counts.every((count) => count > 0)
      })
    },
  },
  {
    name: 'the error of who answers reaches who asks',
    needs: ['requests'],
    async run({ bus }) {
      await bus.requests.answer(SUBJECT, async () => {
        throw new Error('cannot add pears')
      })
      await assert.rejects(
        bus.requests.ask({ subject: SUBJECT, value: '' }, { timeoutMs: patience().comesWithinMs }),
        /cannot add pears/,
      )
    },
  },
]
