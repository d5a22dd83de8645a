/** A process that plays scenarios: told one at a time over its channel, it answers with the result. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { resultOf, type SeedResult } from './report.ts'
import type { Scenario } from './scenario.ts'
import { simulate } from './simulate.ts'

export interface WorkerTask {
  readonly scenario: Scenario
  /** Where to put the history of calls. */
  readonly histories?: string
}

function play({ scenario, histories }: WorkerTask): SeedResult {
  const before = process.cpuUsage()
  const outcome = simulate(scenario)
  if (histories !== undefined) {
    const name = `seed-${String(scenario.seed).padStart(6, '0')}.jsonl`
    writeFileSync(join(histories, name), outcome.history.map((operation) => `${JSON.stringify(operation)}\n`).join(''))
  }
  const { user, system } = process.cpuUsage(before)
  return resultOf(scenario.seed, outcome, (user + system) / 1_000)
}

process.on('message', (task: WorkerTask) => process.send!(play(task)))
// Whoever started it is gone.
process.on('disconnect', () => process.exit(0))
