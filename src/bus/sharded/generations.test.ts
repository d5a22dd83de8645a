import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { endOf, Generations } from './generations.ts'
import { decodeGrowthRecord, encodeGrowthRecord, type GrowthRecord } from './growth-record.ts'

const BEGAN: GrowthRecord = { kind: 'began', partitions: 2, leaseMs: 1_000 }
const claim = (grower: string): GrowthRecord => ({ kind: 'claim', grower })
const closing = (grower: string, generation: number, partitions: number): GrowthRecord => {
  return { kind: 'closing', grower, generation, partitions }
}
const sealed = (grower: string, generation: number, ...ends: number[]): GrowthRecord => {
  return { kind: 'sealed', grower, generation, ends }
}

function fold(...records: readonly GrowthRecord[]): Generations {
  const generations = new Generations()
  for (const record of records) generations.apply(record)
  return generations
}

const states = (generations: Generations) => generations.all.map(({ number, state }) => `${number} ${state}`)
const places = (generations: Generations) =>
  generations.all.flatMap(({ parts }) =>
    parts.map((part) => `${part.prefix}*${part.partitions}@${part.firstPartition}`),
  )

describe('Generations', () => {
  it('number their partitions on, so that a place means the same before and after', () => {
    const generations = fold(BEGAN, claim('a'), closing('a', 1, 5), sealed('a', 1, 10, 20), closing('a', 2, 8))
    assert.deepEqual(places(generations), ['*2@0', 'g2.*5@2', 'g3.*8@7'])
    assert.deepEqual(states(generations), ['1 sealed', '2 closing', '3 next'])
    assert.deepEqual([generations.open, generations.leaseMs], [undefined, 1_000])
    const [first, second] = generations.all
    assert.deepEqual([endOf(first!, 1), endOf(second!, 3)], [20, undefined])
  })

  it('divided by subject, have a part for each shard', () => {
    const generations = fold({ ...BEGAN, shards: { level: 1, values: ['north', 'south'] } } as GrowthRecord, claim('a'))
    generations.apply({ ...closing('a', 1, 3), values: ['north', 'south', 'west'] } as GrowthRecord)
    generations.apply(sealed('a', 1, 1, 2, 3, 4))
    assert.deepEqual(places(generations).slice(0, 2), ['g1-north.*2@0', 'g1-south.*2@2'])
    assert.deepEqual(places(generations).slice(2), ['g2-north.*3@4', 'g2-south.*3@7', 'g2-west.*3@10'])
    assert.deepEqual([generations.level, endOf(generations.all[0]!, 3)], [1, 4])
    // Undivided it never was.
    generations.apply(closing('a', 2, 9))
    assert.deepEqual(states(generations), ['1 sealed', '2 open'])
  })

  it('begin once', () => {
    assert.deepEqual(fold(BEGAN, { kind: 'began', partitions: 9, leaseMs: 1 }).all, fold(BEGAN).all)
  })

  it('are closed and sealed by the grower whose claim is the newest, whoever began it', () => {
    assert.deepEqual(states(fold(BEGAN, closing('a', 1, 3))), ['1 open'])
    assert.deepEqual(states(fold(BEGAN, claim('a'), claim('b'), closing('a', 1, 3))), ['1 open'])
    const resumed = fold(BEGAN, claim('a'), closing('a', 1, 3), claim('b'))
    resumed.apply(sealed('a', 1, 5, 5))
    assert.deepEqual(states(resumed), ['1 closing', '2 next'])
    resumed.apply(closing('b', 1, 7))
    assert.deepEqual(places(resumed), ['*2@0', 'g2.*3@2'], 'what was begun is finished as it was begun')
    resumed.apply(sealed('b', 1, 6, 7))
    assert.deepEqual(states(resumed), ['1 sealed', '2 open'])
  })

  it('do not skip one, or end in the wrong number of places', () => {
    for (const wrong of [closing('a', 2, 3), sealed('a', 1, 1, 1)]) {
      assert.deepEqual(states(fold(BEGAN, claim('a'), wrong)), ['1 open'])
    }
    for (const wrong of [sealed('a', 1, 1), sealed('a', 2, 1, 1, 1)]) {
      assert.deepEqual(states(fold(BEGAN, claim('a'), closing('a', 1, 3), wrong)), ['1 closing', '2 next'])
    }
  })
})

describe('decodeGrowthRecord()', () => {
  it('gives back what was encoded', () => {
    const shards = { level: 2, values: ['north'] }
    const more: GrowthRecord[] = [
      { ...BEGAN, shards } as GrowthRecord,
      { ...closing('g', 1, 2), values: ['n'] } as GrowthRecord,
    ]
    const records = [BEGAN, claim('g'), closing('g', 1, 3), sealed('g', 1, 0, 7), ...more]
    for (const record of records) assert.deepEqual(decodeGrowthRecord(encodeGrowthRecord(record), 't'), record)
  })

  it('refuses what is no record', () => {
    const wrong = [
      ...['', '[]', '7', 'null', '{}', '{"kind":"toString"}', '{"kind":"began","partitions":0,"leaseMs":1}'],
      ...['{"kind":"sealed","grower":"g","generation":1,"ends":[-1]}', '{"kind":"began","partitions":1}'],
      '{"kind":"began","partitions":1,"leaseMs":1,"shards":{"level":0,"values":["a"]}}',
      '{"kind":"closing","grower":"g","generation":1,"partitions":1,"values":[]}',
    ]
    for (const text of wrong) assert.throws(() => decodeGrowthRecord(text, 't'), { code: 'corrupt' }, text)
  })
})
