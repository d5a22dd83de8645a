import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { AttemptRanges } from './attempt-ranges.ts'

const SPAN = 30

test('ranges count as one counter per offset would', () => {
  const step = fc.record({
    from: fc.nat(SPAN),
    length: fc.nat(8),
    attempts: fc.integer({ min: 0, max: 3 }),
    trim: fc.nat(SPAN),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
      const ranges = new AttemptRanges()
      const counts = new Array<number>(SPAN + 10).fill(0)
      for (const [index, { from, length, attempts, trim }] of steps.entries()) {
        if (index % 4 === 3) {
          ranges.trim(trim)
          counts.fill(0, 0, trim)
        } else if (index % 4 === 2) {
          ranges.set(from, attempts)
          counts[from] = attempts
        } else {
          ranges.add(from, from + length, attempts)
          for (let offset = from; offset < from + length; offset += 1) counts[offset]! += attempts
        }
        for (const [offset, count] of counts.entries())
          assert.equal(ranges.attemptsOf(offset), count, `offset ${offset}`)
      }
      assert.equal(
        ranges.isEmpty,
        counts.every((count) => count === 0),
      )
    }),
  )
})
