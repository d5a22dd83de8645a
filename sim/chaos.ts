import { resolve } from 'node:path'
import { FAULT_KINDS } from './chaos/faults.ts'
import { type ChaosReport, torment } from './chaos/raft.ts'
import { misunderstood, parseCommand } from './parse-command.ts'

const HELP = `Torments real processes while clients write and read, and judges what the clients were told.

  npm run -s chaos -- raft [--rounds N] [--seed N] [--faults LIST] [--histories DIR] [--json]

  raft             Raft groups of three and five members, each behind a TCP proxy for each of its ways to the others:
                   partitions (halves, ring, bridge, one-way), kill -9 of one and of all, pauses, full disks, clocks that jump

  --rounds N       how many (default 20): half with three members, half with five
  --seed N         of what is drawn at random (default 1)
  --faults LIST    these alone, separated by commas: ${FAULT_KINDS.join(', ')}
  --histories DIR  writes the calls of each round as JSON lines, for "npm run -s sim -- check DIR" or other checkers

As root the three members have small file systems of their own, which are filled; else their disks are only said to be full. The
five lose what they had not synced when they are killed, as in a power failure. The report is the last line of standard output.
Exit codes: 0 every bar was met; 1 one was missed; 2 not understood.

  npm run -s chaos -- raft --rounds 20 --json`

const ACKED_PER_ROUND = 5_500
const ACKED_MIN = 5_000
const READS_MIN = 500
const FAULTS_PER_ROUND = 3
const SESSIONS = 24

const { values, positionals } = parseCommand(HELP, {
  rounds: { type: 'string', default: '20' },
  seed: { type: 'string', default: '1' },
  faults: { type: 'string', default: FAULT_KINDS.join(',') },
  histories: { type: 'string' },
})
if (positionals[0] !== 'raft') misunderstood(HELP, `There is no "${positionals[0] ?? ''}" to be tormented`)

function positiveInteger(option: string, text: string): number {
  const value = Number(text)
  if (Number.isSafeInteger(value) && value > 0) return value
  return misunderstood(HELP, `--${option} must be a positive whole number, not "${text}"`)
}

const kinds = values.faults.split(',').map((name) => {
  return FAULT_KINDS.find((kind) => kind === name) ?? misunderstood(HELP, `There is no fault "${name}"`)
})

function shortfalls(report: ChaosReport): string[] {
  const { rounds, acked, reads, lost, linearizable, staleReads, timeWentBack, faults } = report
  const missing = kinds.filter((kind) => faults[kind] === 0)
  const bars: ReadonlyArray<readonly [boolean, string]> = [
    [rounds === wanted, `only ${rounds} of ${wanted} rounds came to their end`],
    [acked >= rounds * ACKED_MIN, `only ${acked} commands were acknowledged`],
    [reads >= rounds * READS_MIN, `only ${reads} reads were answered`],
    [lost === 0, `${lost} acknowledged commands are lost`],
    [linearizable, 'what clients were told is not linearizable'],
    [staleReads === 0, `${staleReads} reads were stale`],
    [timeWentBack === 0, `the time of a log went back ${timeWentBack} times`],
    [rounds * FAULTS_PER_ROUND < kinds.length || missing.length === 0, `never played: ${missing.join(', ')}`],
  ]
  return bars.filter(([isMet]) => !isMet).map(([, sentence]) => sentence)
}

const wanted = positiveInteger('rounds', values.rounds)

// What was mounted, made and started goes with this process, however it ends.
for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, () => process.exit(130))

const report = await torment({
  rounds: wanted,
  seed: positiveInteger('seed', values.seed),
  // npm runs scripts in the project's folder and tells where it was called.
  histories: values.histories && resolve(process.env.INIT_CWD ?? process.cwd(), values.histories),
  ackedPerRound: ACKED_PER_ROUND,
  faultsPerRound: FAULTS_PER_ROUND,
  sessions: SESSIONS,
  kinds,
  groups: [
    { members: 3, disk: 'small' },
    { members: 5, disk: 'fickle' },
  ],
  progress: (text) => process.stderr.write(`${text}\n`),
})
const missed = shortfalls(report)
for (const sentence of [...report.problems, ...missed]) console.error(`chaos raft: ${sentence}`)
console.log(JSON.stringify(report))
process.exitCode = missed.length === 0 ? 0 : 1
