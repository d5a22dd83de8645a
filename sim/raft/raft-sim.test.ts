import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { checkLinearizability, parseFaultPlan } from '../../testing/index.ts'
import { reportOf, resultOf, shortfalls } from './report.ts'
import { drawScenario, planned } from './scenario.ts'
import { simulate } from './simulate.ts'

const SEEDS = 14
const PLANS = new URL('../plans/', import.meta.url)

test('Groups of one to seven nodes keep their promises through all faults, and work again without them', () => {
  const results = Array.from({ length: SEEDS }, (_, at) => resultOf(at + 1, simulate(drawScenario(at + 1))))
  const report = reportOf(results)
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

for (const file of readdirSync(PLANS)) {
  test(`A group lives through the plan ${file}`, () => {
    const plan = parseFaultPlan(readFileSync(new URL(file, PLANS), 'utf8'), file)
    const outcome = simulate(planned(drawScenario(7), plan))
    assert.equal(outcome.failure, undefined)
    assert.ok(outcome.tally.acked > 100)
    assert.equal(checkLinearizability(outcome.history).isLinearizable, true)
  })
}
