/** A process that plays scenarios: told one at a time over its channel, it answers with the result. */
import { resultOf, type SeedResult } from './report.ts'
import type { Scenario } from './scenario.ts'
import { simulate } from './simulate.ts'
import { writeHistory } from './write-history.ts'

export interface WorkerTask {
  readonly scenario: Scenario
  /** Where to put the history of calls. */
  readonly histories?: string
}

function play({ scenario, histories }: WorkerTask): SeedResult {
  const before = process.cpuUsage()
  const outcome = simulate(scenario)
  if (histories !== undefined) writeHistory(histories, scenario.seed, outcome.history)
  const { user, system } = process.cpuUsage(before)
  return resultOf(scenario.seed, outcome, (user + system) / 1_000)
}

process.on('message', (task: WorkerTask) => process.send!(play(task)))
// Whoever started it is gone.
process.on('disconnect', () => process.exit(0))
