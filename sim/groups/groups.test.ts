import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkHistory } from './check-history.ts'
import { GroupRun } from './group-run.ts'

const SEEDS = 24
const TURNS = 150

for (let seed = 1; seed <= SEEDS; seed += 1) {
  test(`A consumer group keeps its promises through failures, rebalances and crashes (seed ${seed})`, async () => {
    const history = await new GroupRun(seed).run(TURNS)
    assert.deepEqual(checkHistory(history), [])
    assert.ok(history.steps.some((step) => step.kind === 'retry'))
  })
}
