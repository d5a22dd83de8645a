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

/**
 * Runs the suite of replicated logs against all that there are, or the one that is named, and the suite itself against
 * faulty ones. Exit code 1: a case failed or a fault was missed; 3: all passed, but an implementation is missing.
 */
export async function runReplicatedLogs(
  options: { readonly only: string; readonly name: string | undefined },
  say: (line: string) => void,
): Promise<number> {
  const implementations: Record<string, LogReport> = {}
  const missing: string[] = []
  /** Undefined where no faults were tried. */
  let missed: readonly string[] | undefined
  for (const [name, start] of Object.entries(REPLICATED_LOGS)) {
    if (options.name !== undefined && options.name !== name) continue
    if (start === undefined) {
      missing.push(name)
      continue
    }
    const tested = await start()
    const { report, sound } = await runCases(name, tested, { only: options.only, say })
    if (name === PROVING && options.only === '') missed = await missedFaults(tested, sound, say)
    implementations[name] = report
    await tested.stop()
  }
  const failed = Object.values(implementations).reduce((sum, report) => sum + report.failed, 0)
  const faults = missed && { faultyWrappersCaught: faultyLogs.length - missed.length, faultyWrappersMissed: missed }
  console.log(JSON.stringify({ implementations, failed, ...faults }))
  if (failed > 0 || (missed?.length ?? 0) > 0) return 1
  if (missing.length === 0) return 0
  console.error(`conformance: there is no ${missing.join(', ')} yet`)
  return 3
}

/** The implementation whose wrappers are made faulty: the quickest. */
const PROVING = 'embedded'

async function runCases(
  name: string,
  tested: TestedLog,
  options: { readonly only: string; readonly say: (line: string) => void },
): Promise<Run> {
  const skipped: Array<LogReport['skipped'][number]> = []
  const sound: ReplicatedLogCase[] = []
  let failed = 0
  for (const one of replicatedLogCases.filter((each) => each.name.includes(options.only))) {
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
