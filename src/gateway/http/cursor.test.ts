import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Delivery, TopicDescription } from '../../bus/index.ts'
import { Cursor } from './cursor.ts'

const topic = {
  spec: { name: 'swarm.events', intent: 'event' },
  partitions: [
    { partition: 0, start: { partition: 0, sequence: 2 }, end: { partition: 0, sequence: 10 }, bytes: 0 },
    { partition: 1, start: { partition: 1, sequence: 0 }, end: { partition: 1, sequence: 4 }, bytes: 0 },
  ],
} as unknown as TopicDescription

const at = (partition: number, sequence: number) => ({ position: { partition, sequence } }) as Delivery

test('A cursor at the latest or earliest stands in every partition', () => {
  assert.equal(`${Cursor.startingAt('latest', topic)}`, '0:10,1:4')
  assert.equal(`${Cursor.startingAt('earliest', topic)}`, '0:2,1:0')
})

test('A cursor that is past a message says so, and resumes behind it', () => {
  const cursor = Cursor.startingAt('earliest', topic)
  assert.equal(cursor.pass(at(0, 2)), true)
  assert.equal(cursor.pass(at(0, 2)), false)
  const resumed = Cursor.parse(`${cursor}`, topic)
  assert.deepEqual(resumed.start, [
    { partition: 0, sequence: 3 },
    { partition: 1, sequence: 0 },
  ])
})

test('A cursor that began at a time keeps the time for partitions that gave nothing yet', () => {
  const cursor = Cursor.startingAt({ timestampMs: 1_000 }, topic)
  assert.equal(`${cursor}`, '@1000')
  cursor.pass(at(1, 3))
  const resumed = Cursor.parse(`${cursor}`, topic)
  assert.deepEqual(resumed.start, { timestampMs: 1_000 })
  assert.equal(resumed.pass(at(1, 3)), false)
  assert.equal(resumed.pass(at(0, 9)), true)
  assert.equal(`${resumed}`, '@1000,1:4,0:10')
})

test('A cursor that names some partitions only starts the others at their start', () => {
  assert.equal(`${Cursor.parse('1:3', topic)}`, '0:2,1:3')
})

test('A place behind the end is gone, one in no partition is no place; where nothing is stored places mean nothing', () => {
  assert.equal(`${Cursor.parse('0:10', topic)}`, '0:10,1:0')
  assert.throws(() => Cursor.parse('0:11', topic), { code: 'position-gone', message: /ends at 10/ })
  assert.throws(() => Cursor.parse('@1000,1:5', topic), { code: 'position-gone' })
  assert.throws(() => Cursor.parse('2:0', topic), { code: 'bad-argument', message: /its partitions are 0 to 1/ })
  assert.throws(() => Cursor.parse('0:3,0:4', topic), { code: 'bad-argument', message: /partition 0 is named twice/ })
  const single = { ...topic, partitions: topic.partitions.slice(0, 1) }
  assert.throws(() => Cursor.parse('99:1', single), { code: 'bad-argument', message: /its only partition is 0/ })
  const passing = { ...topic, spec: { ...topic.spec, storage: 'ephemeral' as const } }
  assert.ok(Cursor.parse('0:999', passing))
})

test('What is no cursor is refused', () => {
  for (const text of ['', 'x', '1', '1:', ':2', '1:2,', '@', '@x', '1:2;3:4', `0:${'9'.repeat(30)}`]) {
    assert.throws(() => Cursor.parse(text, topic), { code: 'bad-argument' }, text)
  }
})
