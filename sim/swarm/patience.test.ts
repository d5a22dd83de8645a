import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Patience } from './patience.ts'

test('Patience grows with the slowest start that was seen, up to a bound, and never shrinks', () => {
  const patience = new Patience()
  assert.equal(patience.waitMs(10_000), 10_000)
  patience.started(300)
  assert.equal(patience.waitMs(10_000), 10_000)
  patience.started(6_000)
  patience.started(500)
  assert.equal(patience.slowness, 4)
  assert.equal(patience.waitMs(10_000), 40_000)
  patience.started(600_000)
  assert.equal(patience.waitMs(10_000), 90_000)
})

test('What is late is named, by how much, and whether the machine is to blame', () => {
  const patience = new Patience()
  assert.match(
    patience.late('the first effect of scout-1', 10_000),
    /^the first effect of scout-1 was late: waited for 10\.0 s; the machine is not/,
  )
  assert.equal(patience.slow(), undefined)
  patience.started(15_000)
  assert.match(patience.slow()!, /slow now/)
  assert.match(patience.late('it', 90_000), /waited for 90\.0 s; this machine is slow now: .* 10\.0 times as long/)
})
