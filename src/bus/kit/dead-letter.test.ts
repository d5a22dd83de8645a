import assert from 'node:assert/strict'
import { test } from 'node:test'
import { deadLetterHeaders, deadLetterOrigin, replayedHeaders } from './dead-letter.ts'

const ORIGIN = {
  topic: 'moves',
  partition: 3,
  offset: 7,
  subject: 'moves.north',
  group: 'map',
  attempts: 5,
  error: 'no map',
  appendedAtMs: 1_000,
}

function bytes(headers: Readonly<Record<string, string>>): number {
  return Object.entries(headers).reduce((sum, [name, value]) => sum + Buffer.byteLength(name + value) + 6, 0)
}

test('a dead letter has the headers of its message and its origin, and gives them back', () => {
  const headers = deadLetterHeaders({ id: 'a', skeinttl: '500' }, ORIGIN)
  assert.deepEqual(deadLetterOrigin(headers), ORIGIN)
  assert.equal(headers.skeinttl, undefined, 'it does not expire')
  assert.deepEqual(replayedHeaders(headers), { id: 'a', skeinreplay: 'map' })
})

test('an error of any length is cut, and says so', () => {
  const { error } = deadLetterOrigin(deadLetterHeaders({}, { ...ORIGIN, error: 'x'.repeat(100_000) }))!
  assert.ok(error.length <= 2_000)
  assert.match(error, /cut, 100000 characters in all/)
})

test('headers that do not fit are left out longest first, named, and named in the replay too', () => {
  const message = { id: 'a', long: 'x'.repeat(30_000), longer: 'é'.repeat(20_000), short: 'y' }
  const headers = deadLetterHeaders(message, ORIGIN)
  assert.ok(bytes(headers) <= 60_000, `${bytes(headers)}`)
  assert.equal(headers.skeinomitted, 'longer')
  assert.deepEqual(replayedHeaders(headers), {
    ...{ id: 'a', long: message.long, short: 'y' },
    skeinomitted: 'longer',
    skeinreplay: 'map',
  })
})

test('headers are measured as the driver stores them, and many of them are left out together', () => {
  const many = Object.fromEntries(Array.from({ length: 1_000 }, (_, index) => [`name${index}`, 'é'.repeat(20)]))
  const headers = deadLetterHeaders(many, ORIGIN, {
    bytesMax: 5_000,
    bytesOf: (name, value) => name.length + value.length * 6,
  })
  const kept = Object.keys(headers).filter((name) => name.startsWith('name'))
  assert.ok(kept.length > 0 && kept.length < 40, `${kept.length} are kept`)
  assert.match(headers.skeinomitted!, /^name100, name101.*cut/)
  assert.deepEqual(deadLetterOrigin(headers), ORIGIN)
})
