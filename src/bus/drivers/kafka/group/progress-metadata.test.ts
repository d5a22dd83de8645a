import assert from 'node:assert/strict'
import { test } from 'node:test'
import { packProgress, unpackProgress } from './progress-metadata.ts'

test('progress comes back as it was, the offset being where the first unfinished message is', () => {
  const progress = {
    settled: 1_000,
    delivered: 1_100,
    held: [
      [990, 2],
      [995, 0],
    ] as const,
    attempts: [[1_000, 1_100, 1]] as const,
  }
  const packed = packProgress(progress)
  assert.equal(packed.offset, 990)
  assert.deepEqual(unpackProgress(packed), progress)
})

test('what another client committed is an offset and nothing more', () => {
  const plain = { settled: 7, delivered: 7, held: [], attempts: [] }
  assert.deepEqual(unpackProgress({ offset: 7, metadata: null }), plain)
  assert.deepEqual(unpackProgress({ offset: 7, metadata: 'something|of|its|own' }), plain)
})

test('what does not fit is given again, and nothing that is held is lost', () => {
  const held = Array.from({ length: 5_000 }, (_, index) => [1_000_000 + index * 3, index % 5] as const)
  const progress = { settled: 1_020_000, delivered: 1_020_000, held, attempts: [] }
  const packed = packProgress(progress)
  assert.ok(packed.metadata.length <= 4_000)
  const back = unpackProgress(packed)
  const kept = new Set(back.held.map(([at]) => at))
  for (const [at] of held) assert.ok(kept.has(at) || at >= back.settled, `${at} would be passed over`)
  assert.ok(back.held.length > 100)
})

test('many counts are let go before the metadata is too long', () => {
  const attempts = Array.from({ length: 3_000 }, (_, index) => [index * 10, index * 10 + 5, 1] as const)
  const packed = packProgress({ settled: 0, delivered: 40_000, held: [], attempts })
  assert.ok(packed.metadata.length <= 4_000)
  assert.equal(unpackProgress(packed).settled, 0)
})
