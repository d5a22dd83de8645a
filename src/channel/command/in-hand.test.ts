import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { InHand } from './in-hand.ts'

const never = new AbortController().signal

describe('InHand', () => {
  it('gives room up to its bounds, in number and in bytes', async () => {
    const inHand = new InHand(() => ({ count: 3, bytes: 100 }))
    assert.deepEqual(await inHand.room(never), { maxMessages: 3, maxBytes: 100 })
    inHand.take(30)
    inHand.take(20)
    assert.deepEqual(await inHand.room(never), { maxMessages: 1, maxBytes: 50 })
  })

  for (const [bound, bytes] of [
    ['number', 1],
    ['bytes', 50],
  ] as const) {
    it(`makes the next read wait at the bound on ${bound} until something is done, once for each`, async () => {
      const inHand = new InHand(() => ({ count: 2, bytes: 100 }))
      const done = inHand.take(bytes)
      const other = inHand.take(bytes)
      let isThere = false
      const waiting = inHand.room(never).then((room) => {
        isThere = true
        return room
      })
      await new Promise((resolve) => setImmediate(resolve))
      assert.equal(isThere, false)
      done()
      done()
      assert.deepEqual(await waiting, { maxMessages: 1, maxBytes: 100 - bytes })
      other()
      assert.deepEqual(await inHand.room(never), { maxMessages: 2, maxBytes: 100 })
    })
  }

  it('lets go of who waits when the signal aborts', async () => {
    const inHand = new InHand(() => ({ count: 1, bytes: 100 }))
    inHand.take(1)
    const stop = new AbortController()
    const waiting = inHand.room(stop.signal)
    stop.abort(new Error('enough'))
    await assert.rejects(waiting, /enough/)
  })
})
