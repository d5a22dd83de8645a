import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { BrokerReport } from './broker/broker-report.ts'
import { BrokerRun } from './broker/broker-run.ts'
import { CRASH_DRIVERS, crashWorld } from './broker/worlds.ts'
import type { CrashOptions } from './variant.ts'

const ROUNDS = { one: 10, several: 3 }
/** Acknowledged messages that each round sees at least. */
const ACKED_PER_ROUND = { one: 5_000, several: 4_000 }

/**
 * A broker under load, killed, and its clients killed, in turn: what was acknowledged is there, once in effect, in the order
 * of its key. With several nodes one node is killed in each round, its data deleted, and an empty one takes its place.
 */
export async function run(options: CrashOptions): Promise<BrokerReport> {
  const { driver, nodes = 1 } = options
  if (driver === undefined) throw new Error(`Say which: --driver ${CRASH_DRIVERS.join('|')}`)
  const size = nodes === 1 ? 'one' : 'several'
  const world = await crashWorld(driver)
  const folder = await mkdtemp(join(tmpdir(), 'skein-crash-broker-'))
  try {
    const rounds = options.rounds ?? ROUNDS[size]
    const ackedPerRound = options.ackedPerRound ?? ACKED_PER_ROUND[size]
    return await new BrokerRun(world, {
      driver,
      nodes,
      folder,
      rounds,
      ackedPerRound,
      progress: options.progress,
    }).play()
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

export function shortfalls(report: BrokerReport, options: CrashOptions): string[] {
  const missed: string[] = []
  const size = report.nodes === 1 ? 'one' : 'several'
  const wanted = (options.ackedPerRound ?? ACKED_PER_ROUND[size]) * report.rounds
  if (report.acked < wanted) missed.push(`only ${report.acked} messages were acknowledged, at least ${wanted} must be`)
  for (const fault of ['lost', 'reordered', 'duplicateEffects'] as const) {
    if (report[fault] > 0) missed.push(`${report[fault]} ${fault}`)
  }
  if (report.kills < report.rounds) missed.push(`${report.kills} kills in ${report.rounds} rounds`)
  return missed
}
