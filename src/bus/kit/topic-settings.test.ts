import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkOneMachine, checkSameTopic, resolveTopic } from './topic-settings.ts'

test('each intent has its defaults', () => {
  const settings = (['telemetry', 'event', 'command', 'notice', 'query'] as const).map((intent) => {
    const { durability, storage, deduplicationWindowMs } = resolveTopic({ name: 'a', intent })
    return [intent, durability, storage, deduplicationWindowMs]
  })
  assert.deepEqual(settings, [
    ['telemetry', 'written', 'log', 0],
    ['event', 'safe', 'log', 120_000],
    ['command', 'safe', 'log', 0],
    ['notice', 'none', 'ephemeral', 0],
    ['query', 'none', 'ephemeral', 0],
  ])
})

test('a setting out of range is refused and named', () => {
  for (const wrong of [{ partitions: 0 }, { ttlMs: -1 }, { messageBytesMax: 1.5 }, { retention: { bytes: 0 } }]) {
    assert.throws(() => resolveTopic({ name: 'a', intent: 'event', ...wrong }), {
      code: 'bad-argument',
      message: new RegExp(Object.keys(wrong)[0]!),
    })
  }
})

test('an ephemeral topic refuses what needs a store', () => {
  for (const wanted of [{ compaction: {} }, { deduplicationWindowMs: 1 }, { retention: { ageMs: 1 } }]) {
    assert.throws(() => resolveTopic({ name: 'a', intent: 'notice', ...wanted }), { code: 'unsupported' })
  }
})

test('a second opening is held to what it asks for, and to nothing else', () => {
  const existing = resolveTopic({ name: 'a', intent: 'event', partitions: 4, ttlMs: 1_000, durability: 'durable' })
  checkSameTopic(existing, { name: 'a', intent: 'event' })
  checkSameTopic(existing, { name: 'a', intent: 'event', partitions: 4, durability: 'written' })
  for (const wrong of [{ partitions: 3 }, { ttlMs: 999 }, { durability: 'replicated' as const }, { compaction: {} }]) {
    assert.throws(() => checkSameTopic(existing, { name: 'a', intent: 'event', ...wrong }), {
      code: 'bad-argument',
      details: { topic: 'a', setting: Object.keys(wrong)[0] },
    })
  }
})

test('one machine gives no replicas, racks or compression, and says so', () => {
  const spec = { name: 'a', intent: 'event' } as const
  checkOneMachine({ ...spec, replicationFactor: 1, minInSyncReplicas: 1, racks: 1, compression: 'none' })
  const asked = [{ replicationFactor: 3 }, { minInSyncReplicas: 2 }, { racks: 2 }, { compression: 'zstd' }] as const
  for (const more of asked) assert.throws(() => checkOneMachine({ ...spec, ...more }), { code: 'unsupported' })
})
