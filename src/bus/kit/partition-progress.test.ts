import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PartitionProgress, type StoredProgress } from './partition-progress.ts'

const EMPTY: StoredProgress = { settled: 0, delivered: 0, held: [], attempts: [] }

function progressOf(stored: StoredProgress = EMPTY): PartitionProgress {
  return new PartitionProgress(stored, { parkedMax: 10 })
}

/** Gives the offsets from the position up to `to`, all of them. */
function give(progress: PartitionProgress, to: number): void {
  const from = progress.position
  progress.position = to + 1
  progress.giveFresh({ from, to })
}

const fail = (progress: PartitionProgress, offset: number, dueMs = 0, orderKey = 'k') =>
  progress.putBack({ offset, orderKey }, { counts: true, dueMs })

test('in order, the committed offset follows the acknowledgments', () => {
  const progress = progressOf()
  give(progress, 9)
  assert.equal(progress.committed, 0)
  progress.acknowledge(4)
  assert.equal(progress.committed, 5)
  give(progress, 19)
  progress.acknowledge(19)
  assert.equal(progress.committed, 20)
  assert.equal(progress.hasWorkInHand, false)
  assert.ok(progress.isPlain)
})

test('the committed offset never passes a held message', () => {
  const progress = progressOf()
  give(progress, 9)
  fail(progress, 3)
  progress.acknowledge(9)
  assert.equal(progress.committed, 3)
  const [again] = progress.takeDue(0, 10)
  assert.deepEqual([again?.offset, again?.attempts], [3, 1])
  progress.acknowledge(3)
  assert.equal(progress.committed, 10)
})

test('of one key only the front of the queue is given, the rest in its run', () => {
  const progress = progressOf()
  give(progress, 0)
  fail(progress, 0, 100, 'a')
  for (const offset of [1, 2]) progress.park({ offset, orderKey: 'a' })
  progress.park({ offset: 3, orderKey: 'b' })
  progress.position = 4
  assert.deepEqual(
    progress.takeDue(50, 10).map(({ offset }) => offset),
    [3],
  )
  assert.equal(progress.nextDueMs(), 100)
  assert.deepEqual(
    progress.takeDue(100, 10).map(({ offset }) => offset),
    [0, 1, 2],
  )
})

test('an acknowledgment does not reach a batch that the application has not taken yet', () => {
  const progress = progressOf()
  give(progress, 2)
  const { lastOrdinal } = progress
  for (const offset of [0, 1, 2]) fail(progress, offset)
  assert.equal(progress.takeDue(0, 10).length, 3)
  progress.acknowledge(2, lastOrdinal)
  assert.equal(progress.committed, 0)
  progress.acknowledge(2)
  assert.equal(progress.committed, 3)
})

test('what was settled beyond the committed offset stays settled over a restart', () => {
  const progress = progressOf()
  give(progress, 9)
  fail(progress, 2)
  progress.acknowledge(7)
  const stored = progress.save('abandoned')
  assert.deepEqual(stored, { settled: 8, delivered: 10, held: [[2, 1]], attempts: [] })
  const restored = progressOf(stored)
  assert.equal(restored.position, 2)
  assert.deepEqual(
    [0, 1, 2, 3, 7, 8, 9].map((offset) => restored.isDone(offset)),
    [true, true, false, true, true, false, false],
  )
  assert.deepEqual(
    [2, 8, 9, 10].map((offset) => restored.attemptsOf(offset)),
    [1, 1, 1, 0],
  )
})

test('released, what was in hand is not counted', () => {
  const progress = progressOf()
  give(progress, 4)
  const restored = progressOf(progress.save('released'))
  assert.equal(restored.attemptsOf(0), 0)
  assert.equal(restored.position, 0)
})

test('a second restart in the middle of the restored keeps the rest settled, and counts once more', () => {
  const first = progressOf({
    settled: 10,
    delivered: 10,
    held: [
      [2, 1],
      [6, 0],
    ],
    attempts: [],
  })
  first.position = 3
  first.giveFresh({ from: 2, to: 2 })
  const second = progressOf(first.save('abandoned'))
  assert.deepEqual(
    [2, 3, 6, 7, 10].map((offset) => [second.isDone(offset), second.attemptsOf(offset)]),
    [
      [false, 2],
      [true, 0],
      [false, 0],
      [true, 0],
      [false, 0],
    ],
  )
})

test('a message that is not in hand cannot be put back', () => {
  const progress = progressOf()
  assert.equal(fail(progress, 0), undefined)
  give(progress, 1)
  progress.acknowledge(1)
  assert.equal(fail(progress, 1), undefined)
})

test('what is finished in hand is done: it is given no more, holds back nothing, and leaves the rest in hand', () => {
  const progress = progressOf()
  give(progress, 4)
  progress.acknowledge(0)
  for (const offset of [1, 3, 4]) progress.finish(offset)
  assert.equal(progress.committed, 2)
  assert.equal(progress.held.size, 0)
  assert.equal(progress.hasWorkInHand, true)
  progress.acknowledge(2)
  assert.deepEqual([progress.committed, progress.hasWorkInHand], [5, false])
  give(progress, 6)
  progress.finish(5)
  fail(progress, 6)
  assert.deepEqual(
    progress.takeDue(0, 10).map(({ offset }) => offset),
    [6],
  )
  progress.finish(6)
  assert.deepEqual([progress.committed, progress.hasWorkInHand, progress.held.size], [7, false, 0])
})

test('what cannot be buried is given no more, holds back its key, and comes due for its burial', () => {
  const progress = progressOf()
  give(progress, 2)
  const dead = fail(progress, 0)!
  progress.acknowledge(2)
  progress.park({ offset: 3, orderKey: 'k' })
  progress.held.keepUnburied(dead, 500)
  assert.deepEqual([progress.nextDueMs(), progress.committed, progress.held.holdsKey('k')], [500, 0, true])
  assert.deepEqual([progress.takeDue(1_000, 10), progress.held.takeUnburied(499)], [[], []])
  assert.deepEqual(progress.held.takeUnburied(500), [dead])
  assert.deepEqual(progress.held.takeUnburied(1_000), [], 'it is on its way')
  progress.held.keepUnburied(dead, 2_000)
  progress.finish(0)
  assert.deepEqual(progress.held.takeUnburied(5_000), [])
  assert.deepEqual(
    progress.takeDue(0, 10).map(({ offset }) => offset),
    [3],
  )
})
