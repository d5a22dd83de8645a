import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { BridgeRun } from './bridge/bridge-run.ts'
import type { MovedFindings } from './bridge/check-moved.ts'
import type { CrashOptions } from './variant.ts'

const ROUNDS = 10
const ACKED_PER_ROUND = 3_000
/** Source and target, in turn the source of one and the target of the other. */
const PAIRS: ReadonlyArray<readonly [string, string]> = [
  ['jetstream', 'kafka'],
  ['kafka', 'jetstream'],
]

export interface BridgeReport extends MovedFindings {
  readonly rounds: number
  /** Of bridges, and of brokers. */
  readonly kills: number
  readonly brokerKills: number
  /** Acknowledged at the sources. */
  readonly acked: number
  readonly pairs: readonly string[]
}

/**
 * Bridges between two real brokers are killed at random moments under load, and the brokers now and then; a reader of the
 * target then counts. The target does not deduplicate, and the messages have no ids: nothing but the bridge itself keeps them from
 * being there twice. `--driver from,to` names another pair.
 */
export async function run(options: CrashOptions): Promise<BridgeReport> {
  const rounds = options.rounds ?? ROUNDS
  const given = options.driver?.split(',') as [string, string] | undefined
  const pairs = given === undefined ? PAIRS.slice(0, rounds) : [given]
  const total = { moved: 0, lost: 0, doubled: 0, reordered: 0, changed: 0, acked: 0, kills: 0, brokerKills: 0 }
  let firstRound = 0
  for (const [index, pair] of pairs.entries()) {
    const share = Math.floor(rounds / pairs.length) + (index < rounds % pairs.length ? 1 : 0)
    const folder = await mkdtemp(join(tmpdir(), 'skein-crash-bridge-'))
    try {
      const ackedPerRound = options.ackedPerRound ?? ACKED_PER_ROUND
      const { seed, progress } = options
      const found = await new BridgeRun(pair, {
        folder,
        rounds: share,
        firstRound,
        ackedPerRound,
        seed: seed + index,
        progress,
      }).play()
      for (const name of Object.keys(total) as Array<keyof typeof total>) total[name] += found[name]
      firstRound += share
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  }
  const { moved, lost, doubled, reordered, ...others } = total
  return { rounds, moved, lost, doubled, reordered, ...others, pairs: pairs.map((pair) => pair.join(' to ')) }
}

export function shortfalls(report: BridgeReport, options: CrashOptions): string[] {
  const wanted = report.rounds * (options.ackedPerRound ?? ACKED_PER_ROUND)
  const missed: string[] = []
  if (report.acked < wanted) missed.push(`only ${report.acked} messages were acknowledged, at least ${wanted} must be`)
  if (report.moved < report.acked)
    missed.push(`only ${report.moved} of ${report.acked} acknowledged messages were moved`)
  for (const fault of ['lost', 'doubled', 'reordered', 'changed'] as const) {
    if (report[fault] > 0) missed.push(`${report[fault]} ${fault}`)
  }
  if (report.kills < report.rounds) missed.push(`${report.kills} kills in ${report.rounds} rounds`)
  return missed
}
