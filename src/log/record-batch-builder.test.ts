import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { checkRecords } from './check-records.ts'
import type { EncodedRecords, RecordInput } from './record.ts'
import { RecordBatchBuilder } from './record-batch-builder.ts'
import { recordCursor } from './record-cursor.ts'

const text = fc.string({ unit: 'binary', maxLength: 80 }).map((value) => value.toWellFormed())
const record = fc.record({
  subject: text,
  key: fc.option(text, { nil: undefined }),
  value: fc.oneof(text, fc.uint8Array({ maxLength: 300 }), fc.constant(null)),
  headers: fc.option(
    fc.dictionary(
      text.filter((name) => name !== '__proto__'),
      text,
      { maxKeys: 4 },
    ),
    { nil: undefined },
  ),
  timestampMs: fc.integer({ min: -1e15, max: 1e15 }),
})

function bodyOf(encoded: EncodedRecords): Buffer {
  return Buffer.concat(encoded.parts)
}

function encode(records: readonly RecordInput[], builder = new RecordBatchBuilder()): EncodedRecords {
  for (const one of records) builder.add(one)
  return builder.finish()
}

describe('RecordBatchBuilder and recordCursor()', () => {
  it('give back every record as it was given', () => {
    const builder = new RecordBatchBuilder({ initialBytes: 64 })
    fc.assert(
      fc.property(fc.array(record, { maxLength: 30 }), (records) => {
        const encoded = encode(records, builder)
        const body = bodyOf(encoded)
        assert.equal(body.byteLength, encoded.byteLength)
        assert.equal(encoded.count, records.length)
        const cursor = recordCursor(body, 1_000, encoded.firstTimestampMs)
        for (const [index, given] of records.entries()) {
          assert.ok(cursor.next())
          assert.equal(cursor.offset, 1_000 + index)
          assert.equal(cursor.subject, given.subject)
          assert.equal(cursor.key, given.key)
          assert.equal(cursor.timestampMs, given.timestampMs)
          assert.deepEqual({ ...cursor.headers() }, { ...given.headers })
          for (const name in given.headers) assert.equal(cursor.header(name), given.headers[name])
          assert.equal(cursor.header('no such header'), undefined)
          assert.equal(cursor.isTombstone, given.value === null)
          if (typeof given.value === 'string') assert.equal(cursor.valueText(), given.value)
          else assert.deepEqual(new Uint8Array(cursor.valueBytes()), new Uint8Array(given.value ?? []))
        }
        assert.ok(!cursor.next())
        assert.equal(checkRecords(body).count, records.length)
      }),
    )
  })

  it('never reads out of bounds, whatever the bytes are', () => {
    const seed = encode(
      Array.from({ length: 8 }, (_, index) => ({
        subject: `swarm.telemetry.${index % 3}`,
        key: `key-${index}`,
        value: `value ${index}`,
        headers: { id: `id-${index}`, type: 'position' },
        timestampMs: index,
      })),
    )
    const pristine = bodyOf(seed)
    const mutation = fc.array(fc.tuple(fc.nat(pristine.byteLength - 1), fc.nat(255)), { minLength: 1, maxLength: 4 })
    fc.assert(
      fc.property(mutation, fc.nat(pristine.byteLength), (changes, length) => {
        const body = Uint8Array.from(pristine).subarray(0, length)
        for (const [at, byte] of changes) if (at < length) body[at] = byte
        try {
          const cursor = recordCursor(body, 0, 0)
          while (cursor.next()) cursor.headers()
          checkRecords(body)
        } catch (error) {
          assert.equal((error as { code?: string }).code, 'corrupt')
        }
      }),
      { numRuns: 20_000 },
    )
  })

  it('refuses an oversized key and leaves the batch as it was', () => {
    const builder = new RecordBatchBuilder()
    builder.add({ subject: 'a', value: 'first', timestampMs: 1 })
    const before = builder.byteLength
    const huge = { subject: 'a', key: 'k'.repeat(70_000), value: 'second', timestampMs: 2 }
    assert.throws(() => builder.add(huge), { code: 'message-too-large' })
    assert.equal(builder.byteLength, before)
    builder.add({ subject: 'a', key: 'k', value: 'third', timestampMs: 3 })
    const encoded = builder.finish()
    const cursor = recordCursor(bodyOf(encoded), 0, encoded.firstTimestampMs)
    assert.ok(cursor.next())
    assert.ok(cursor.next())
    assert.equal(cursor.valueText(), 'third')
    assert.ok(!cursor.next())
  })

  it('gives the same headers object for the same bytes', () => {
    const headers = { type: 'position', source: 'drone-7' }
    const encoded = encode([1, 2].map((timestampMs) => ({ subject: 's', value: '', headers, timestampMs })))
    const cursor = recordCursor(bodyOf(encoded), 0, encoded.firstTimestampMs)
    cursor.next()
    const first = cursor.headers()
    cursor.next()
    assert.equal(cursor.headers(), first)
    assert.ok(Object.isFrozen(first))
  })

  it('does not mix up texts whose bytes look like another text in Latin-1', () => {
    const encoded = encode(['Ã©', 'é', 'Ã©', 'é'].map((key) => ({ subject: 's', key, value: null, timestampMs: 0 })))
    const cursor = recordCursor(bodyOf(encoded), 0, 0)
    const keys: unknown[] = []
    while (cursor.next()) keys.push(cursor.key)
    assert.deepEqual(keys, ['Ã©', 'é', 'Ã©', 'é'])
  })
})

describe('checkRecords()', () => {
  it('counts the subjects that records name, and the sizes', () => {
    const encoded = encode([
      { subject: 'a.1', value: 'xx', timestampMs: 10 },
      { subject: 'a.2', value: 'xxxx', timestampMs: 30 },
      { subject: 'a.1', value: null, timestampMs: 20 },
    ])
    assert.deepEqual(checkRecords(bodyOf(encoded)), {
      count: 3,
      subjects: ['a.1', 'a.2'],
      valueBytesMax: 4,
      timestampDeltaMaxMs: 20,
      hasHeader: false,
    })
    assert.equal(encoded.lastTimestampMs, 30)
  })

  it('tells whether any record has a certain header', () => {
    const records = [{}, { id: '7' }].map((headers) => ({ subject: 'a', value: '', headers, timestampMs: 0 }))
    const body = bodyOf(encode(records))
    assert.equal(checkRecords(body, { header: 'id' }).hasHeader, true)
    assert.equal(checkRecords(body, { header: 'other' }).hasHeader, false)
  })

  it('refuses offset deltas that do not count up from zero', () => {
    const body = bodyOf(encode([{ subject: 'a', value: 'x', timestampMs: 0 }]))
    body[body.readUInt32LE(0) + 4] = 7
    assert.throws(() => checkRecords(body), { code: 'corrupt' })
  })
})
