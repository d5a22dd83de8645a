import assert from 'node:assert/strict'
import { test } from 'node:test'
import { putVarint, VarintReader, varintBytes } from './varint.ts'

const SMALL = [0, 1, -1, 63, -64, 64, -65, 8_191, 8_192, 2_147_483_647, -2_147_483_648]
const LARGE = [...SMALL, 2 ** 40 + 1, -(2 ** 40), 1_700_000_000_123, -1_700_000_000_123, 2 ** 51]

test('what is written comes back, in as many bytes as announced', () => {
  for (const value of LARGE) {
    const target = Buffer.alloc(12, 0xff)
    const end = putVarint(target, 1, value)
    assert.equal(end - 1, varintBytes(value), `bytes of ${value}`)
    const reader = new VarintReader(target)
    reader.position = 1
    assert.equal(reader.long(), value)
    assert.equal(reader.position, end)
  }
})

test('whole numbers of 32 bits come back', () => {
  for (const value of SMALL) {
    const target = Buffer.alloc(12)
    putVarint(target, 0, value)
    assert.equal(new VarintReader(target).int(), value)
  }
})

test('the bytes are those of the protocol: zigzag, least significant group first', () => {
  const target = Buffer.alloc(2)
  putVarint(target, 0, 150)
  assert.deepEqual([...target], [0xac, 0x02])
  putVarint(target, 0, -1)
  assert.equal(target[0], 0x01)
})
