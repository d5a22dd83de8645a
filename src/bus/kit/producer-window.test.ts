import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ProducerWindow } from './producer-window.ts'

const batch = (sequence: number) => ({ sequence, lastOffset: sequence * 10, accepted: 10, duplicates: [] })

test('a repeated batch gets its first result; refused and forgotten ones are told apart', () => {
  const window = new ProducerWindow({ batchesMax: 3, batchesMin: 1, producersMax: 2, entriesMax: 100 })
  for (const sequence of [1, 2, 4, 5]) window.add(7, batch(sequence))
  assert.deepEqual(window.find(7, 4), batch(4))
  assert.equal(window.find(7, 6), undefined)
  assert.equal(window.find(7, 3), 'refused')
  assert.equal(window.find(7, 1), 'forgotten')
  assert.equal(window.find(8, 1), undefined)
})

test('batches are found whatever the order in which they were added, and the earliest are forgotten first', () => {
  const window = new ProducerWindow({ batchesMax: 3, batchesMin: 1, producersMax: 2, entriesMax: 100 })
  for (const sequence of [2, 1, 4, 3]) window.add(7, batch(sequence))
  for (const sequence of [2, 3, 4]) assert.deepEqual(window.find(7, sequence), batch(sequence))
  assert.equal(window.find(7, 1), 'forgotten')
})

test('beside a recalled batch nothing is said to have been refused', () => {
  const window = new ProducerWindow({ batchesMax: 9, batchesMin: 1, producersMax: 2, entriesMax: 100 })
  for (const sequence of [1, 3]) window.add(7, { ...batch(sequence), duplicates: undefined })
  for (const sequence of [5, 7]) window.add(7, batch(sequence))
  assert.deepEqual(
    [2, 4, 6].map((sequence) => window.find(7, sequence)),
    ['forgotten', 'forgotten', 'refused'],
  )
})

test('the producer unused for the longest time is forgotten first', () => {
  const window = new ProducerWindow({ batchesMax: 3, batchesMin: 1, producersMax: 2, entriesMax: 100 })
  for (const [sequence, producer] of [1, 2, 1, 3].entries()) window.add(producer, batch(sequence))
  assert.deepEqual(
    [...window.entries()].map(([producer]) => producer),
    [1, 3],
  )
})

test('producers unused for longer keep only their last batches when all together are too many, and the others all', () => {
  const window = new ProducerWindow({ batchesMax: 100, batchesMin: 5, producersMax: 1_000, entriesMax: 1_000 })
  const count = () => [...window.entries()].reduce((sum, [, batches]) => sum + batches.length, 0)
  let most = 0
  for (let producerId = 0; producerId < 100; producerId += 1) {
    for (let sequence = 0; sequence < 50; sequence += 1) {
      window.add(producerId, { sequence, lastOffset: sequence, accepted: 1, duplicates: [] })
      most = Math.max(most, count())
    }
  }
  assert.ok(most <= 1_001, `${most} were remembered`)
  assert.equal(window.find(0, 44), 'forgotten')
  for (let sequence = 45; sequence < 50; sequence += 1) assert.equal(typeof window.find(0, sequence), 'object')
  for (let sequence = 0; sequence < 50; sequence += 1) assert.equal(typeof window.find(99, sequence), 'object')
})

test('a bound that the least of all producers exceed is exceeded by no more than them', () => {
  const window = new ProducerWindow({ batchesMax: 100, batchesMin: 5, producersMax: 100, entriesMax: 10 })
  for (let sequence = 0; sequence < 50; sequence += 1) {
    for (let producerId = 0; producerId < 100; producerId += 1) {
      window.add(producerId, { sequence, lastOffset: sequence, accepted: 1, duplicates: [] })
    }
  }
  const kept = [...window.entries()].map(([, batches]) => batches.length)
  assert.ok(Math.min(...kept) >= 5, `${kept}`)
  assert.ok(kept.reduce((sum, length) => sum + length, 0) <= 700, `${kept}`)
})
