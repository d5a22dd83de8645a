import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SimulatedClock } from '../../testing/index.ts'
import { type DamagedSegment, DamageWatch } from './damage-watch.ts'

const segment = (topic: string, partition: number): DamagedSegment => {
  return { topic, partition, file: '00000000000000000000.segment', firstOffset: 0, reason: 'bad' }
}

test('Every damaged segment is told once, also one that is found later and is called as another', async () => {
  const clock = new SimulatedClock()
  const damaged = [segment('a', 0)]
  const told: string[] = []
  const watch = new DamageWatch(() => damaged, {
    clock,
    onFound: ({ topic, partition }) => told.push(`${topic}/${partition}`),
  })
  assert.deepEqual(told, ['a/0'])
  damaged.push(segment('a', 1), segment('b', 0))
  await clock.advance(10_000)
  assert.deepEqual(told, ['a/0', 'a/1', 'b/0'])
  assert.equal(watch.found.length, 3)
  watch.close()
  assert.equal(clock.timers, 0)
})
