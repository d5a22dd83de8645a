import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseFaultPlan } from './fault-plan.ts'

const PLAN = `name: minority-partition
seed: 42
steadyState: [{ metric: skein_acked_lost, op: "==", value: 0 }]
faults:
  - { kind: network, action: partition, direction: both, select: { mode: fixed, value: 1, role: follower }, at: 10s, duration: 20s }
  - { kind: io, action: fault, methods: [fdatasync], errno: 5, percent: 1, at: 250ms }
abort: { maxDuration: 2m }
heal: { within: 30s }
verify: [no-acked-loss, order-per-key, linearizable, effect-once]
`

test('parseFaultPlan() reads times as milliseconds and fills in what is left out', () => {
  const { faults, abort, heal } = parseFaultPlan(PLAN)
  assert.deepEqual(faults[0], {
    kind: 'network',
    action: 'partition',
    direction: 'both',
    select: { mode: 'fixed', value: 1, role: 'follower' },
    at: 10_000,
    duration: 20_000,
  })
  assert.deepEqual([faults[1]!.at, faults[1]!.duration, faults[1]!.select.role], [250, 10_000, 'any'])
  assert.deepEqual([abort?.maxDuration, heal.within], [120_000, 30_000])
})

const BROKEN: ReadonlyArray<readonly [name: string, from: string, to: string, expected: RegExp]> = [
  ['a time without a unit', 'at: 10s', 'at: 10', /line 5, faults\.0.*at/s],
  ['an unknown kind', 'kind: network', 'kind: weather', /line 5, faults\.0: kind must be network, io/],
  ['an unknown action', 'action: partition', 'action: divide', /line 5, faults\.0: action:/],
  ['an unknown direction', 'direction: both', 'direction: up', /line 5.*direction/],
  ['a field that does not exist', 'percent: 1,', 'percentage: 1,', /line 6, faults\.1:.*percentage/],
  ['a percentage beyond 100', 'percent: 1,', 'percent: 101,', /line 6.*percent/],
  ['no name', 'name: minority-partition', '', /name/],
  ['no YAML', 'faults:', 'faults: [', /it is no YAML/],
]

for (const [name, from, to, expected] of BROKEN) {
  test(`parseFaultPlan() refuses ${name}, saying where`, () => {
    assert.throws(
      () => parseFaultPlan(PLAN.replace(from, to), 'plan.yaml'),
      (error: { code: string; message: string }) => {
        assert.equal(error.code, 'bad-config')
        assert.match(error.message, /^Cannot use plan\.yaml: /)
        assert.match(error.message, expected)
        return true
      },
    )
  })
}
