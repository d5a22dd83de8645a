import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { ConfigChange, MemberChange } from './config-change.ts'
import { decodeConfigChange, encodeConfigChange } from './config-change-codec.ts'

const PLAIN = { noNullPrototype: true }
const member = fc.record(
  {
    action: fc.constantFrom('add-voter', 'add-learner', 'remove') as fc.Arbitrary<MemberChange['action']>,
    id: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
  },
  PLAIN,
)
const change: fc.Arbitrary<ConfigChange> = fc.record(
  {
    mode: fc.constantFrom('auto', 'joint', 'joint-until-left', 'leave') as fc.Arbitrary<ConfigChange['mode']>,
    changes: fc.array(member, { maxLength: 8 }),
  },
  PLAIN,
)

test('what is encoded is decoded, with and without a context, wherever the bytes lie', () => {
  fc.assert(
    fc.property(change, fc.uint8Array({ minLength: 1 }), (made, context) => {
      assert.deepEqual(decodeConfigChange(encodeConfigChange(made)), made)
      const inside = Uint8Array.from([9, 9, 9, ...encodeConfigChange({ ...made, context })]).subarray(3)
      assert.deepEqual(decodeConfigChange(inside), { ...made, context })
    }),
  )
})

test('bytes that are no change are corrupt, those of a later version say so', () => {
  const good = encodeConfigChange({ mode: 'auto', changes: [{ action: 'add-voter', id: 1 }] })
  for (let length = 0; length < good.length; length += 1) {
    assert.throws(() => decodeConfigChange(good.subarray(0, length)), { code: 'corrupt' })
  }
  const altered = (at: number, value: number) => Uint8Array.from(good, (byte, index) => (index === at ? value : byte))
  assert.throws(() => decodeConfigChange(altered(0, 2)), { code: 'future-version' })
  assert.throws(() => decodeConfigChange(altered(1, 9)), { code: 'corrupt' })
  assert.throws(() => decodeConfigChange(altered(4, 9)), { code: 'corrupt' })
  assert.throws(() => decodeConfigChange(altered(12, 255)), { code: 'corrupt' })
})

test('any bytes are decoded or refused with a typed error', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
      try {
        decodeConfigChange(bytes)
      } catch (error) {
        assert.match((error as { code: string }).code, /^(corrupt|future-version)$/)
      }
    }),
  )
})

test('a change that no bytes could say is refused before it becomes an entry', () => {
  const bad = { code: 'config-change-refused', reason: 'bad-change' }
  assert.throws(() => encodeConfigChange({ mode: 'sideways' as 'auto', changes: [] }), bad)
  assert.throws(() => encodeConfigChange({ mode: 'auto', changes: [{ action: 'promote' as 'remove', id: 1 }] }), bad)
  const many = Array.from({ length: 65_536 }, () => ({ action: 'remove', id: 1 }) as const)
  assert.throws(() => encodeConfigChange({ mode: 'auto', changes: many }), bad)
})
