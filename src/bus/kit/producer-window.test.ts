import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ProducerWindow } from './producer-window.ts'

const batch = (sequence: number) => ({ sequence, lastOffset: sequence * 10, accepted: 10, duplicates: [] })

test('a repeated batch gets its first result; refused and forgotten ones are told apart', () => {
  const window = new ProducerWindow({ batchesMax: 3, producersMax: 2 })
  for (const sequence of [1, 2, 4, 5]) window.add(7, batch(sequence))
  assert.deepEqual(window.find(7, 4), batch(4))
  assert.equal(window.find(7, 6), undefined)
  assert.equal(window.find(7, 3), 'refused')
  assert.equal(window.find(7, 1), 'forgotten')
  assert.equal(window.find(8, 1), undefined)
})

test('the producer unused for the longest time is forgotten first', () => {
  const window = new ProducerWindow({ batchesMax: 3, producersMax: 2 })
  for (const [sequence, producer] of [1, 2, 1, 3].entries()) window.add(producer, batch(sequence))
  assert.deepEqual(
    [...window.entries()].map(([producer]) => producer),
    [1, 3],
  )
})
