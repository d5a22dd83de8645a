import assert from 'node:assert/strict'
import { test } from 'node:test'
import Type from 'typebox'
import type { Payload } from '../codec.ts'
import { jsonSchema } from './json-schema.ts'

function payload(text: string): Payload {
  return { value: new TextEncoder().encode(text), text: () => text }
}

const codec = jsonSchema(
  Type.Object(
    { latitude: Type.Number({ minimum: -90, maximum: 90 }), at: Type.Optional(Type.String({ format: 'date-time' })) },
    { additionalProperties: false },
  ),
)

test('jsonSchema() gives back what it was given', () => {
  const text = codec.encode({ latitude: 1.5 })
  assert.equal(text, '{"latitude":1.5}')
  assert.deepEqual(codec.decode(payload(text as string)), { latitude: 1.5 })
})

test('jsonSchema() names the path of a bad value on both sides', () => {
  const cases: ReadonlyArray<readonly [unknown, string, RegExp]> = [
    [{ latitude: 'x' }, '/latitude', /\/latitude must be number/],
    [{ latitude: 91 }, '/latitude', /\/latitude must be <= 90/],
    [{ latitude: Number.NaN }, '/latitude', /\/latitude must be/],
    [{}, '/latitude', /\/latitude is missing/],
    [{ latitude: 1, 'a/b': 2 }, '/a~1b', /is not in the schema/],
    [{ latitude: 1, at: 'noon' }, '/at', /date-time/],
    [[], '', /the value must be object/],
  ]
  for (const [value, path, message] of cases) {
    assert.throws(
      () => codec.encode(value as never),
      (error: { code: string; message: string; details: { path: string } }) => {
        assert.equal(error.code, 'schema-mismatch')
        assert.match(error.message, message)
        assert.equal(error.details.path, path)
        return true
      },
    )
  }
  assert.throws(() => codec.decode(payload('{"latitude":"x"}')), { code: 'schema-mismatch', message: /\/latitude/ })
})

test('jsonSchema() refuses what is no JSON, a tombstone, and undefined', () => {
  assert.throws(() => codec.decode(payload('{')), { code: 'schema-mismatch', message: /no JSON/ })
  assert.throws(() => codec.decode({ value: null, text: () => '' }), { code: 'schema-mismatch', message: /tombstone/ })
  assert.throws(() => jsonSchema(Type.Any()).encode(undefined), { code: 'schema-mismatch' })
  assert.throws(() => jsonSchema(Type.Number()).encode(Number.NaN), { code: 'schema-mismatch' })
})

test('jsonSchema() can be told to trust what is stored', () => {
  const trusting = jsonSchema(Type.Number(), { checkOnDecode: false })
  assert.equal(trusting.decode(payload('"x"')), 'x')
})

test('a schema id depends on the content and not on the order of its keys', () => {
  const one = jsonSchema({ type: 'object', properties: { a: { type: 'number' }, b: { type: 'string' } } })
  const other = jsonSchema({ properties: { b: { type: 'string' }, a: { type: 'number' } }, type: 'object' })
  assert.equal(one.schemaId, other.schemaId)
  assert.notEqual(one.schemaId, codec.schemaId)
})

test('jsonSchema() refuses a schema that is none, at the declaration', () => {
  assert.throws(() => jsonSchema({ type: 'nonsense' }), { code: 'bad-argument' })
})

test('two schemas may carry the same $id', () => {
  jsonSchema({ $id: 'urn:skein:x', type: 'number' })
  jsonSchema({ $id: 'urn:skein:x', type: 'string' })
})

test('encode() refuses what a schema lets pass and JSON cannot say', () => {
  const anything = jsonSchema(Type.Any())
  const cycle: Record<string, unknown> = {}
  cycle.self = cycle
  const throwing = {
    toJSON(): never {
      throw Object.create(null)
    },
  }
  for (const value of [12n, { n: 12n }, cycle, throwing, undefined, () => 1]) {
    assert.throws(() => anything.encode(value), { code: 'schema-mismatch' })
  }
})
