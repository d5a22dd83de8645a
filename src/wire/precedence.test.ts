import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SimulatedClock } from '../../testing/index.ts'
import { Precedence } from './precedence.ts'

function precedence() {
  const clock = new SimulatedClock()
  const held: string[] = []
  const precedence = new Precedence(clock)
  return { clock, held, precedence, hold: (name: string) => precedence.later(() => held.push(name)) }
}

test('bulk work goes on in the next turn while nothing urgent is under way', async () => {
  const { clock, held, hold } = precedence()
  hold('bulk')
  assert.deepEqual(held, [])
  await clock.advance(0)
  assert.deepEqual(held, ['bulk'])
})

test('bulk work waits until the last urgent piece of work is over, in order', async () => {
  const { clock, held, hold, precedence: taken } = precedence()
  const [first, second] = [taken.begin(), taken.begin()]
  hold('one')
  hold('two')
  first()
  first()
  await clock.advance(1)
  assert.deepEqual(held, [], 'the second is under way; saying twice that the first is over changes nothing')
  second()
  await clock.advance(20)
  assert.deepEqual(held, ['one', 'two'])
  assert.equal(taken.isTaken, false)
})

test('urgent work that takes long holds bulk work back for a bounded time', async () => {
  const { clock, held, hold, precedence: taken } = precedence()
  taken.begin()
  hold('early')
  await clock.advance(25)
  assert.deepEqual(held, ['early'])
  assert.equal(taken.isTaken, false, 'what goes on for so long no longer counts')
  hold('late')
  await clock.advance(0)
  assert.deepEqual(held, ['early', 'late'])
})

test('bulk work has its turn now and then under urgent work without end', async () => {
  const { clock, held, hold, precedence: taken } = precedence()
  let over = taken.begin()
  hold('bulk')
  for (let step = 0; step < 10; step += 1) {
    await clock.advance(5)
    const next = taken.begin()
    over()
    over = next
  }
  assert.deepEqual(held, ['bulk'])
})

test('clear() resolves at once, or when bulk work may go on', async () => {
  const { clock, precedence: taken } = precedence()
  await taken.clear()
  const over = taken.begin()
  let isClear = false
  const waiting = taken.clear().then(() => {
    isClear = true
  })
  await clock.advance(1)
  assert.equal(isClear, false)
  over()
  await clock.advance(20)
  await waiting
  assert.equal(isClear, true)
})

test('the precedence lasts on after urgent work for as long as such work took of late', async () => {
  const { clock, precedence: taken } = precedence()
  taken.begin()()
  assert.equal(taken.isTaken, true, 'at first the worst is supposed')
  await clock.advance(60_000)
  taken.begin()()
  await clock.advance(1)
  assert.equal(taken.isTaken, false, 'what took long was long ago, and this took no time')
  const over = taken.begin()
  await clock.advance(4)
  over()
  await clock.advance(5)
  assert.equal(taken.isTaken, true)
  await clock.advance(2)
  assert.equal(taken.isTaken, false)
})
