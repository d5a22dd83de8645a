import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { SimulatedEvents } from './simulated-events.ts'

test('SimulatedEvents happen in the order of their times, those of one moment in the order they were set', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(20), { maxLength: 60 }), (delays) => {
      const events = new SimulatedEvents()
      const seen: Array<readonly [number, number]> = []
      for (const [order, delayMs] of delays.entries()) events.after(delayMs, () => seen.push([events.nowMs, order]))
      while (events.step(100)) {}
      const expected = delays
        .map((delayMs, order) => [delayMs, order] as const)
        .sort((a, b) => a[0] - b[0] || a[1] - b[1])
      assert.deepEqual(seen, expected)
      assert.equal(events.nowMs, 100)
      assert.equal(events.happened, delays.length)
    }),
  )
})

test('SimulatedEvents.step() stops before what is due later, and a cancelled event never happens', () => {
  const events = new SimulatedEvents()
  const seen: string[] = []
  events.after(5, () => seen.push('early'))
  events.after(6, () => seen.push('cancelled')).cancel()
  events.after(50, () => seen.push('late'))
  while (events.step(10)) {}
  assert.deepEqual(seen, ['early'])
  while (events.step(50)) {}
  assert.deepEqual(seen, ['early', 'late'])
})
