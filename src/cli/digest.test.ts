import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import { KeyedDigest } from './digest.ts'

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')

test('KeyedDigest.value() is SHA-256 over the sorted keys with the SHA-256 of their payloads', () => {
  const digest = new KeyedDigest()
  digest.add('b', '{"n":1}')
  digest.add('a', 'x')
  digest.add('b', '{"n":2}')
  assert.equal(digest.value(), sha256(`a ${sha256('x\n')}\nb ${sha256('{"n":1}\n{"n":2}\n')}\n`))
})

test('KeyedDigest is the same however keys interleave, and for text and bytes', () => {
  const one = new KeyedDigest()
  const other = new KeyedDigest()
  for (const [key, value] of [
    ['a', '1'],
    ['b', '2'],
    ['a', '3é'],
  ] as const)
    one.add(key, value)
  for (const [key, value] of [
    ['a', '1'],
    ['a', '3é'],
    ['b', '2'],
  ] as const)
    other.add(key, Buffer.from(value))
  assert.equal(one.value(), other.value())
})

test('KeyedDigest differs when order within a key, a key or a payload differs', () => {
  const values = new Set<string>()
  for (const list of [['1', '2'], ['2', '1'], ['12'], ['1'], ['1', '2', '2']]) {
    const digest = new KeyedDigest()
    for (const value of list) digest.add('k', value)
    values.add(digest.value())
  }
  assert.equal(values.size, 5)
})

test('KeyedDigest sorts keys by their bytes, not by UTF-16 units', () => {
  const digest = new KeyedDigest()
  digest.add('\u{1f600}', 'x')
  digest.add('\uffee', 'x')
  assert.equal(digest.value(), sha256(`\uffee ${sha256('x\n')}\n\u{1f600} ${sha256('x\n')}\n`))
})
