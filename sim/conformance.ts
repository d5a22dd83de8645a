import { type BusCase, busCases, faultyBuses, runBusCase } from '../testing/index.ts'
import { catchFault, type FaultHunt } from './conformance/catch-fault.ts'
import { DRIVERS } from './conformance/drivers.ts'
import { REPLICATED_LOGS } from './conformance/replicated-logs.ts'
import { runReplicatedLogs } from './conformance/run-replicated-logs.ts'
import type { TestedDriver } from './conformance/tested-driver.ts'
import { timed } from './conformance/timed.ts'
import { misunderstood, parseCommand } from './parse-command.ts'

const HELP = `Runs the suite that every driver of the bus must pass against one of them, on a server of its own where it needs one.
The drivers of this process and of a node are made faulty as well, one fault at a time: the suite must fail each.

  npm run -s conformance -- [DRIVER] [--only WORDS] [--json]

  DRIVER         ${Object.keys(DRIVERS).join(', ')}; default: embedded
  replicated-log the suite of replicated logs instead: against all there are, or one: ${Object.keys(REPLICATED_LOGS).join(', ')}
  --only WORDS   the cases with these words in their name

The report is the last line of standard output. Exit codes: 0 passed; 1 a case failed, a fault was missed, or a server cannot be
had; 2 not understood.

  npm run -s conformance -- remote --json
  npm run -s conformance -- kafka --only "keyed order"`

const CASE_MS = 30_000
const WITH_FAULTS = ['memory', 'embedded', 'remote']
const HUNTERS = 6

interface Outcome {
  readonly name: string
  readonly error?: unknown
  readonly skipped?: string
}

async function runSuite(
  driver: TestedDriver,
  cases: readonly BusCase[],
  say: (line: string) => void,
): Promise<Outcome[]> {
  const outcomes: Outcome[] = []
  for (const busCase of cases) {
    const reason = driver.skip?.[busCase.name]
    if (reason !== undefined) {
      outcomes.push({ name: busCase.name, skipped: reason })
      say(`skip ${busCase.name}: ${reason}`)
      continue
    }
    const begun = performance.now()
    const error: unknown = await timed(runBusCase(busCase, driver.create), driver.caseMs ?? CASE_MS).catch(
      (cause: unknown) => cause ?? new Error('failed'),
    )
    outcomes.push({ name: busCase.name, error })
    say(`${error === undefined ? 'ok  ' : 'FAIL'} ${busCase.name} (${Math.round(performance.now() - begun)} ms)`)
    if (error instanceof Error) say(`     ${error.message}`)
  }
  return outcomes
}

/** Several at once: mostly they wait for what does not come. The names of those that the suite passed come back. */
async function runFaults(hunted: FaultHunt, say: (line: string) => void): Promise<string[]> {
  // What a fault leaves running when its case has failed may reject later; that concerns nobody.
  process.on('unhandledRejection', () => {})
  const missed: string[] = []
  const left = [...faultyBuses]
  const hunt = async () => {
    for (let fault = left.shift(); fault !== undefined; fault = left.shift()) {
      const found = await catchFault(fault, hunted)
      if (found === undefined) missed.push(fault.name)
      say(found === undefined ? `MISSED a bus that ${fault.name}` : `caught a bus that ${fault.name}: "${found}"`)
    }
  }
  await Promise.all(Array.from({ length: HUNTERS }, hunt))
  return missed
}

async function main(): Promise<void> {
  const { values, positionals } = parseCommand(HELP, { only: { type: 'string' } })
  const name = positionals[0] ?? 'embedded'
  if (name === 'replicated-log') return replicatedLogs(positionals[1], values)
  const start = DRIVERS[name]
  if (start === undefined) return misunderstood(HELP, `There is no driver "${name}"`)
  const say = (line: string) => (values.json ? console.error(line) : console.log(line))
  const driver = await start()
  const cases = busCases.filter((busCase) => busCase.name.includes(values.only ?? ''))
  const outcomes = await runSuite(driver, cases, say)
  const sound = cases.filter((_, index) => outcomes[index]!.error === undefined && !outcomes[index]!.skipped)
  const hunted = { create: driver.create, cases: sound, ...(driver.caseMs !== undefined && { caseMs: driver.caseMs }) }
  const missed = WITH_FAULTS.includes(name) && values.only === undefined ? await runFaults(hunted, say) : []
  await driver.stop()
  const failed = outcomes.filter(({ error }) => error !== undefined)
  const skipped = outcomes.filter((outcome) => outcome.skipped !== undefined)
  const report = {
    driver: name,
    server: driver.server,
    tests: outcomes.map((outcome) => outcome.name),
    passed: outcomes.length - failed.length - skipped.length,
    failed: failed.length,
    skipped: skipped.map((outcome) => ({ test: outcome.name, reason: outcome.skipped })),
    ...(WITH_FAULTS.includes(name) && {
      faultyWrappersCaught: faultyBuses.length - missed.length,
      faultyWrappersMissed: missed,
    }),
  }
  console.log(JSON.stringify(report))
  const isWhole = values.only === undefined
  if (outcomes.length === 0) return misunderstood(HELP, `No case has "${values.only}" in its name`)
  process.exit(failed.length > 0 || missed.length > 0 || (isWhole && isShort(report)) ? 1 : 0)
}

/** Fewer than a whole run must show: on a broker some cases may be left out with their reason, here none. */
function isShort(report: { readonly driver: string; readonly passed: number; readonly skipped: readonly unknown[] }) {
  const isOurs = WITH_FAULTS.includes(report.driver)
  return (
    report.passed < (isOurs ? 40 : 30) || (isOurs && report.skipped.length > 0) || (isOurs && faultyBuses.length < 10)
  )
}

async function replicatedLogs(
  name: string | undefined,
  { only = '', json = false }: { readonly only?: string; readonly json?: boolean },
): Promise<void> {
  if (name !== undefined && !(name in REPLICATED_LOGS))
    return misunderstood(HELP, `There is no replicated log "${name}"`)
  const say = (line: string) => (json ? console.error(line) : console.log(line))
  process.exit(await runReplicatedLogs({ only, name }, say))
}

await main()
