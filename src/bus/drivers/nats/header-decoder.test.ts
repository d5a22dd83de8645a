import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Msg } from '@nats-io/transport-node'
import { HeaderDecoder } from './header-decoder.ts'

const SUBJECT = 'alerts.drone-1'

/** As the library gives it: the payload behind its headers in one buffer, which begins elsewhere. */
function received(headers: string, payload = '{"a":1}'): Msg {
  const block = Buffer.from(headers)
  const whole = Buffer.concat([Buffer.from('HPUB before '), block, Buffer.from(payload)])
  const data = whole.subarray(whole.length - payload.length)
  const size = () => SUBJECT.length + block.length + payload.length
  return { subject: SUBJECT, reply: '', data, size, headers: undefined } as unknown as Msg
}

const own = (timestampMs: number) => `skeinkey: drone-1\r\nskeintime: ${timestampMs}\r\n\r\n`

test('headers that are those of the message before are the same object; key and time are each message’s own', () => {
  const decoder = new HeaderDecoder()
  const first = decoder.decode(received(`NATS/1.0\r\nce-type: alert\r\nshade: gr%C3%BCn\r\n${own(5)}`))
  const second = decoder.decode(received(`NATS/1.0\r\nce-type: alert\r\nshade: gr%C3%BCn\r\n${own(6)}`))
  const third = decoder.decode(received(`NATS/1.0\r\nce-type: other\r\n${own(7)}`))
  assert.deepEqual(first.headers, { type: 'alert', shade: 'grün' })
  assert.equal(second.headers, first.headers)
  assert.deepEqual(third.headers, { type: 'other' })
  assert.deepEqual(
    [first, second, third].map(({ key, timestampMs }) => [key, timestampMs]),
    [
      ['drone-1', 5],
      ['drone-1', 6],
      ['drone-1', 7],
    ],
  )
})

test('what others write is read in any order, and the last of repeated names counts', () => {
  const decoder = new HeaderDecoder()
  const mixed = decoder.decode(
    received('NATS/1.0\r\nskeintime: 5\r\nshade: red\r\nshade:green \r\nNats-Msg-Id: 1\r\n\r\n'),
  )
  assert.deepEqual([mixed.headers, mixed.timestampMs], [{ shade: 'green' }, 5])
  const foreign = decoder.decode(received('NATS/1.0\r\nshade: red\r\n\r\n'))
  assert.deepEqual([foreign.headers, foreign.timestampMs], [{ shade: 'red' }, undefined])
})

test('a message without headers, or whose block does not look like one, is left to the library', () => {
  const decoder = new HeaderDecoder()
  assert.deepEqual(decoder.decode(received('')).headers, {})
  const library = new Map([['shade', ['blue']]])
  const odd = Object.assign(received('NATS/1.0 503\r\n\r\n'), { headers: library })
  assert.deepEqual(decoder.decode(odd).headers, { shade: 'blue' })
})
