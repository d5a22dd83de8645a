import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seededRandom } from '../../testing/index.ts'
import { blockedWays } from './partitions.ts'

const FIVE = [1, 2, 3, 4, 5]
const options = () => ({ random: seededRandom(7), leader: 2 })

/** Whom each hears and is heard by. */
function neighbours(ids: readonly number[], blocked: ReadonlyArray<{ readonly from: number; readonly to: number }>) {
  const isOpen = (from: number, to: number) => !blocked.some((way) => way.from === from && way.to === to)
  return ids.map((one) => ids.filter((other) => other !== one && isOpen(one, other) && isOpen(other, one)).length)
}

test('halves leave a majority that is whole, and a minority', () => {
  assert.deepEqual(neighbours(FIVE, blockedWays('halves', FIVE, options())).sort(), [1, 1, 2, 2, 2])
  assert.deepEqual(neighbours([1, 2, 3], blockedWays('halves', [1, 2, 3], options())).sort(), [0, 1, 1])
})

test('in a ring everybody speaks with two of four, and of three each is heard by one', () => {
  assert.deepEqual(neighbours(FIVE, blockedWays('ring', FIVE, options())), [2, 2, 2, 2, 2])
  const blocked = blockedWays('ring', [1, 2, 3], options())
  assert.deepEqual(blocked.map(({ from }) => from).sort(), [1, 2, 3])
  assert.deepEqual(blocked.map(({ to }) => to).sort(), [1, 2, 3])
})

test('a bridge has one in the middle who speaks with all', () => {
  assert.deepEqual(neighbours(FIVE, blockedWays('bridge', FIVE, options())).sort(), [2, 2, 2, 2, 4])
})

test('one way blocks what one member says, or what it hears, and nothing else', () => {
  const blocked = blockedWays('one-way', FIVE, options())
  const [from, to] = [new Set(blocked.map((way) => way.from)), new Set(blocked.map((way) => way.to))]
  assert.equal(Math.min(from.size, to.size), 1)
  assert.equal(blocked.length, 4)
})
