import assert from 'node:assert/strict'
import { test } from 'node:test'
import { messageOf } from './message-input.ts'

test('messageOf() stores JSON compactly, text and bytes as they are', () => {
  const value = (input: object) => messageOf(input, 'a.b', 'it').value
  assert.equal(value({ value: { n: 1, list: [null] } }), '{"n":1,"list":[null]}')
  assert.equal(value({ value: null }), 'null')
  assert.equal(value({ text: 'é' }), 'é')
  assert.deepEqual(value({ base64: 'AAH/' }), Buffer.from([0, 1, 255]))
  assert.equal(value({ tombstone: true }), null)
})

test('messageOf() addresses a message to its topic when it names no subject', () => {
  assert.equal(messageOf({ text: '' }, 'a.b', 'it').subject, 'a.b')
  assert.equal(messageOf({ text: '', subject: 'a.b.c' }, 'a.b', 'it').subject, 'a.b.c')
})

test('messageOf() refuses headers that would mean one thing to some readers and nothing to others', () => {
  for (const [name, field] of [
    ['id', 'id'],
    ['skeinttl', 'ttlMs'],
    ['SkeinTTL', 'ttlMs'],
  ]) {
    assert.throws(() => messageOf({ value: 1, headers: { [name!]: '1' } }, 'a.b', 'message 3'), {
      code: 'bad-argument',
      message: new RegExp(`header "${name}" is Skein's own; use the field ${field}`),
    })
  }
})

test('messageOf() wants the content said exactly once, and whole', () => {
  for (const wrong of [{}, { value: 1, text: 'x' }, { tombstone: true as const, base64: '' }, { base64: 'a$b' }]) {
    assert.throws(() => messageOf(wrong, 'a.b', 'message 3'), { code: 'bad-argument', message: /message 3/ })
  }
})
