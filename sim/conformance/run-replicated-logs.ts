import { ServiceUnavailable } from '../../test/services/service.ts'
import { faultyLogs, type ReplicatedLogCase, replicatedLogCases, runReplicatedLogCase } from '../../testing/index.ts'
import { catchLogFault } from './catch-log-fault.ts'
import { REPLICATED_LOGS, type TestedLog } from './replicated-logs.ts'
import { timed } from './timed.ts'

interface LogReport {
  readonly server: string
  readonly passed: number
  readonly failed: number
  readonly skipped: ReadonlyArray<{ readonly test: string; readonly reason: string }>
}

interface Run {
  readonly report: LogReport
  /** Cases that passed: one that fails anyway would catch nothing. */
  readonly sound: readonly ReplicatedLogCase[]
}

const CASE_MS = 30_000
/** A whole run that shows less is none. */
const PASSED_MIN = 20

/**
 * Runs the suite of replicated logs against all that there are, or the one that is named, and the suite itself against
 * faulty ones. Exit code 1: a case failed, a fault was missed, a server cannot be had, or too little was run; 2: there is
 * no such case.
 */
export async function runReplicatedLogs(
  options: { readonly only: string; readonly name: string | undefined },
  say: (line: string) => void,
): Promise<number> {
  const cases = replicatedLogCases.filter(({ name }) => name.includes(options.only))
  if (cases.length === 0) {
    console.error(`No case of the replicated log has "${options.only}" in its name`)
    return 2
  }
  const isWhole = options.only === ''
  const implementations: Record<string, LogReport> = {}
  const unavailable: Record<string, string> = {}
  /** Undefined where no faults were tried. */
  let missed: readonly string[] | undefined
  for (const [name, start] of Object.entries(REPLICATED_LOGS)) {
    if (options.name !== undefined && options.name !== name) continue
    try {
      const tested = await start()
      const { report, sound } = await runCases(name, tested, { cases, say })
      if (name === PROVING && isWhole) missed = await missedFaults(tested, sound, say)
      implementations[name] = report
      await tested.stop()
    } catch (error) {
      if (!(error instanceof ServiceUnavailable)) throw error
      console.error(`conformance: ${name} was not run: ${error.message}`)
      unavailable[name] = error.message
    }
  }
  const reports = Object.values(implementations)
  const failed = reports.reduce((sum, report) => sum + report.failed, 0)
  const isMissing = Object.keys(unavailable).length > 0
  const faults = missed && { faultyWrappersCaught: faultyLogs.length - missed.length, faultyWrappersMissed: missed }
  console.log(JSON.stringify({ implementations, failed, ...(isMissing && { unavailable }), ...faults }))
  const isShort = isWhole && reports.some(({ passed }) => passed < PASSED_MIN)
  return failed > 0 || (missed?.length ?? 0) > 0 || isMissing || isShort ? 1 : 0
}

/** The implementation whose wrappers are made faulty: the quickest. */
const PROVING = 'embedded'

async function runCases(
  name: string,
  tested: TestedLog,
  options: { readonly cases: readonly ReplicatedLogCase[]; readonly say: (line: string) => void },
): Promise<Run> {
  const skipped: Array<LogReport['skipped'][number]> = []
  const sound: ReplicatedLogCase[] = []
  let failed = 0
  for (const one of options.cases) {
    const reason = tested.skip?.[one.name]
    if (reason !== undefined) {
      skipped.push({ test: one.name, reason })
      options.say(`skip ${name}: ${one.name}: ${reason}`)
      continue
    }
    const error = await failureOf(one, tested)
    if (error === undefined) sound.push(one)
    else failed += 1
    options.say(
      `${error === undefined ? 'ok  ' : 'FAIL'} ${name}: ${one.name}${error === undefined ? '' : `\n     ${error.message}`}`,
    )
  }
  return { report: { server: tested.server, passed: sound.length, failed, skipped }, sound }
}

async function failureOf(one: ReplicatedLogCase, { create, caseMs = CASE_MS }: TestedLog): Promise<Error | undefined> {
  try {
    await timed(runReplicatedLogCase(one, create), caseMs)
    return undefined
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error))
  }
}

/** The names of the faults that the suite passes. */
async function missedFaults(
  tested: TestedLog,
  sound: readonly ReplicatedLogCase[],
  say: (line: string) => void,
): Promise<string[]> {
  // What a fault leaves running when its case has failed may reject later; that concerns nobody.
  process.on('unhandledRejection', () => {})
  const missed: string[] = []
  for (const fault of faultyLogs) {
    const caughtBy = await catchLogFault(fault, { create: tested.create, cases: sound })
    if (caughtBy === undefined) missed.push(fault.name)
    say(caughtBy === undefined ? `MISSED a log that ${fault.name}` : `caught a log that ${fault.name}: "${caughtBy}"`)
  }
  return missed
}
