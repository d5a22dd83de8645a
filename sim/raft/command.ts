import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { type FaultPlan, parseFaultPlan } from '../../testing/index.ts'
import { reportOf, resultOf, type SeedResult, type SimReport, shortfalls } from './report.ts'
import { runSeeds } from './run-seeds.ts'
import { drawScenario, planned, type Scenario } from './scenario.ts'
import { shrink } from './shrink.ts'
import { type Failure, simulate } from './simulate.ts'
import { checkMetrics } from './steady-state.ts'
import { writeHistory } from './write-history.ts'

const HELP = `Plays whole Raft groups on simulated time, disks and network, breaks them, and checks what must hold.

  npm run -s sim -- raft [options]

  --seeds N          plays N seeds (default 20)
  --from S           the first of them (default 1)
  --seed S           plays one seed
  --scenario FILE    plays a scenario that an earlier run has written
  --plan FILE        plays the faults of a plan (YAML, as in sim/plans) instead of drawn ones
  --trace FILE       writes the transcript of the one run; - is standard output
  --histories DIR    writes every history of calls as JSON lines
  --workers N        processes (default: one for each processor)
  --fail-fast        ends with the first failing seed
  --no-shrink        leaves a failing seed as it is
  --json             the report as JSON only
  --help             this

The report is the last line of standard output. Exit code 1 when a promise was broken or a bar is missed.

  npm run -s sim -- raft --seeds 500 --json
  npm run -s sim -- raft --seed 42 --trace run.txt
  npm run -s sim -- raft --seeds 20 --plan sim/plans/minority-partition.yaml
  npm run -s sim -- raft --seeds 5 --histories histories`

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))))
// npm runs scripts in the project's folder and tells where it was called.
const callerDirectory = process.env.INIT_CWD ?? process.cwd()

type Values = ReturnType<typeof parse>

function parse(args: readonly string[]) {
  return parseArgs({
    args: [...args],
    allowNegative: true,
    options: {
      seeds: { type: 'string' },
      from: { type: 'string' },
      seed: { type: 'string' },
      scenario: { type: 'string' },
      plan: { type: 'string' },
      trace: { type: 'string' },
      histories: { type: 'string' },
      workers: { type: 'string' },
      'fail-fast': { type: 'boolean', default: false },
      shrink: { type: 'boolean', default: true },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  }).values
}

/** Simulates Raft groups: many seeds, or one with its transcript. */
export async function run(args: readonly string[]): Promise<number> {
  const values = parse(args)
  if (values.help) {
    console.error(HELP)
    return 0
  }
  const scenarios = chooseScenarios(values)
  const histories = values.histories === undefined ? undefined : resolve(callerDirectory, values.histories)
  if (histories !== undefined) mkdirSync(histories, { recursive: true })
  if (values.trace !== undefined) return traceOne(scenarios, { file: values.trace, histories })
  const startedAtMs = performance.now()
  const results = await runSeeds(scenarios, {
    ...(histories !== undefined && { histories }),
    ...(values.workers !== undefined && { workers: positiveInteger('workers', values.workers) }),
    failFast: values['fail-fast'],
    progress: (result, done) => progress(result, done, scenarios.length),
  })
  const report = reportOf(results, (performance.now() - startedAtMs) / 1_000)
  if (values.shrink) explainFirst(results, scenarios)
  return finish(report)
}

function chooseScenarios(values: Values): Scenario[] {
  if (values.scenario !== undefined) {
    return [JSON.parse(readFileSync(resolve(callerDirectory, values.scenario), 'utf8')) as Scenario]
  }
  const plan = values.plan === undefined ? undefined : readPlan(values.plan)
  const first =
    values.seed === undefined ? positiveInteger('from', values.from ?? '1') : positiveInteger('seed', values.seed)
  const isOne = values.seed !== undefined || (values.trace !== undefined && values.seeds === undefined)
  const count = isOne ? 1 : positiveInteger('seeds', values.seeds ?? '20')
  return Array.from({ length: count }, (_, at) => {
    const scenario = drawScenario(first + at)
    return plan === undefined ? scenario : planned(scenario, plan)
  })
}

function readPlan(file: string): FaultPlan {
  const plan = parseFaultPlan(readFileSync(resolve(callerDirectory, file), 'utf8'), file)
  checkMetrics(plan)
  return plan
}

function positiveInteger(option: string, text: string): number {
  const value = Number(text)
  if (Number.isSafeInteger(value) && value > 0) return value
  throw new Error(`--${option} must be a positive whole number, not "${text}"`)
}

interface TraceFiles {
  readonly file: string
  readonly histories: string | undefined
}

function traceOne([scenario, ...others]: readonly Scenario[], { file, histories }: TraceFiles): number {
  if (others.length > 0) throw new Error('--trace writes the transcript of one run: choose it by --seed')
  const lines: string[] = []
  const startedAtMs = performance.now()
  const outcome = simulate(scenario!, { trace: (line) => lines.push(line) })
  const text = `${lines.join('\n')}\n`
  if (file === '-') process.stdout.write(text)
  else {
    mkdirSync(dirname(resolve(callerDirectory, file)), { recursive: true })
    writeFileSync(resolve(callerDirectory, file), text)
  }
  if (histories !== undefined) writeHistory(histories, scenario!.seed, outcome.history)
  return finish(reportOf([resultOf(scenario!.seed, outcome)], (performance.now() - startedAtMs) / 1_000))
}

function finish(report: SimReport): number {
  const missed = shortfalls(report)
  for (const sentence of missed) console.error(`sim raft: ${sentence}`)
  console.log(JSON.stringify(report))
  return missed.length === 0 ? 0 : 1
}

function progress({ seed, failure }: SeedResult, done: number, total: number): void {
  if (failure !== undefined) console.error(`sim raft: seed ${seed}: ${failure.message}`)
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${done} of ${total} seeds`)
  else if (done % 50 === 0) console.error(`sim raft: ${done} of ${total} seeds`)
}

/** The first failing seed, made smaller, and the command that replays it. */
function explainFirst(results: readonly SeedResult[], scenarios: readonly Scenario[]): void {
  const failed = results.find(({ failure }) => failure !== undefined)
  if (failed === undefined) return
  console.error(`sim raft: seed ${failed.seed} fails; making it smaller`)
  const original = scenarios.find(({ seed }) => seed === failed.seed)!
  const { scenario, failure: smaller, runs } = shrink(original, failed.failure as Failure)
  const file = join(root, '.skein', 'sim', `seed-${scenario.seed}.json`)
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, `${JSON.stringify(scenario, null, 2)}\n`)
  const { faults, nodes, clients } = scenario
  console.error(
    `sim raft: ${runs} runs left ${faults.length} faults, ${nodes} nodes, ${clients} clients. ${smaller.message}\n` +
      `replay: npm run -s sim -- raft --scenario ${relative(callerDirectory, file)} --trace -`,
  )
}
