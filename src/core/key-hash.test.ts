import assert from 'node:assert/strict'
import { test } from 'node:test'
import { murmur2, partitionOfKey } from './key-hash.ts'

// The vectors of Kafka's own UtilsTest.testMurmur2.
const VECTORS: ReadonlyArray<readonly [string, number]> = [
  ['21', -973932308],
  ['foobar', -790332482],
  ['a-little-bit-long-string', -985981536],
  ['a-little-bit-longer-string', -1486304829],
  ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
  ['abc', 479470107],
]

test('murmur2() gives the hashes of the Kafka Java client', () => {
  for (const [key, hash] of VECTORS) assert.equal(murmur2(key), hash, key)
})

test('partitionOfKey() stays within the partitions', () => {
  for (const partitions of [1, 2, 3, 7, 256]) {
    for (let index = 0; index < 500; index += 1) {
      const partition = partitionOfKey(`agent-${index}-é`, partitions)
      assert.ok(partition >= 0 && partition < partitions)
    }
  }
})
