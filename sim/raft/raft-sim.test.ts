import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { checkLinearizability, parseFaultPlan } from '../../testing/index.ts'
import { reportOf, resultOf, shortfalls } from './report.ts'
import { drawScenario, planned } from './scenario.ts'
import { simulate } from './simulate.ts'
import { checkMetrics } from './steady-state.ts'

const SEEDS = 14
const PLANS = new URL('../plans/', import.meta.url)

test('Groups of one to seven nodes keep their promises through all faults, and work again without them', () => {
  const results = Array.from({ length: SEEDS }, (_, at) => resultOf(at + 1, simulate(drawScenario(at + 1))))
  const report = reportOf(results, 0)
  assert.deepEqual(shortfalls(report), [])
  assert.ok(report.acked > 100 * SEEDS && report.reads > 100 * SEEDS)
  const kinds = Object.values(report.faults).filter((count) => count > 0)
  assert.ok(kinds.length > 20, `only ${kinds.length} kinds of faults happened`)
})

test('A seed replays: the same transcript, the same history', () => {
  const play = () => {
    const lines: string[] = []
    const { history } = simulate(drawScenario(4), { trace: (line) => lines.push(line) })
    return { lines, history }
  }
  const first = play()
  assert.ok(first.lines.length > 1_000)
  assert.deepEqual(play(), first)
})

function firstFailure(steadyState: string, verify = 'no-acked-loss') {
  const text = `{ name: plan, faults: [{ kind: raft, action: transfer, at: 3s }], steadyState: [${steadyState}], verify: [${verify}] }`
  return simulate(planned(drawScenario(7), parseFaultPlan(text))).failure
}

test('What a plan says of the steady state must hold before and after its faults', () => {
  assert.equal(firstFailure('{ metric: skein_leaders, op: "==", value: 1 }'), undefined)
  const before = firstFailure('{ metric: skein_acked_total, op: "==", value: 0 }')
  assert.match(before!.message, /skein_acked_total is \d+ before the faults; the plan says == 0/)
  assert.equal(before?.invariant, 'the steady state')
  const after = firstFailure('{ metric: skein_acked_total, op: "<", value: 60 }')
  assert.match(after!.message, /after the faults/)
  const unknown = parseFaultPlan('{ name: plan, faults: [], steadyState: [{ metric: rain, op: "==", value: 0 }] }')
  assert.throws(() => checkMetrics(unknown), /rain; there are skein_acked_lost/)
})

for (const file of readdirSync(PLANS)) {
  test(`A group lives through the plan ${file}`, () => {
    const plan = parseFaultPlan(readFileSync(new URL(file, PLANS), 'utf8'), file)
    const outcome = simulate(planned(drawScenario(7), plan))
    assert.equal(outcome.failure, undefined)
    assert.ok(outcome.tally.acked > 100)
    assert.equal(checkLinearizability(outcome.history).isLinearizable, true)
  })
}
