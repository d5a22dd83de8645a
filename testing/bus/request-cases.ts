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
    name: 'a reply of any size comes whole or is refused, a failure of any kind is told, and who answers goes on',
    needs: ['requests'],
    async run({ bus }) {
      const handlers: Readonly<Record<string, () => { readonly value: string }>> = {
        small: () => ({ value: 'small' }),
        large: () => ({ value: 'x'.repeat(2 * 1024 * 1024) }),
        huge: () => ({ value: 'x'.repeat(20 * 1024 * 1024) }),
        talkative: () => {
          throw new Error('é'.repeat(2 * 1024 * 1024))
        },
        unprintable: () => {
          throw Object.create(null)
        },
      }
      for (const answer of [
        async (name: string) => handlers[name]!(),
        (name: string) => Promise.resolve(handlers[name]!()),
      ]) {
        const stop = await bus.requests.answer(SUBJECT, ({ value }) => answer(Buffer.from(value).toString()))
        for (const name of [...Object.keys(handlers), 'small']) {
          const asked = bus.requests.ask({ subject: SUBJECT, value: name }, { timeoutMs: patience().comesWithinMs })
          const [{ value } = {}, code] = await asked.then(
            (reply) => [reply, undefined] as const,
            (error: { readonly code?: unknown }) => [undefined, error.code] as const,
          )
          if (value !== undefined) assert.equal(value.length, handlers[name]!().value.length)
          else assert.ok(name !== 'small' && code !== 'timeout', `${name}: ${code}`)
        }
        await stop()
      }
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
