import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ArchiveFindings, ArchiveRun } from './archive/archive-run.ts'
import type { CrashOptions } from './variant.ts'

const ROUNDS = 10
const ACKED_PER_ROUND = 2_000
const DRIVER = 'jetstream'

export interface ArchiveReport extends ArchiveFindings {
  readonly driver: string
  readonly rounds: number
}

/**
 * Archivers of a topic on a real broker are killed at random moments under load, and the broker now and then; what the
 * archive then holds is restored into an empty log and counted. Messages have no ids: nothing but the archive itself keeps
 * them from being there twice.
 */
export async function run(options: CrashOptions): Promise<ArchiveReport> {
  const { driver = DRIVER, rounds = ROUNDS, ackedPerRound = ACKED_PER_ROUND, seed, progress } = options
  const folder = await mkdtemp(join(tmpdir(), 'skein-crash-archive-'))
  try {
    const found = await new ArchiveRun({ driver, folder, rounds, ackedPerRound, seed, progress }).play()
    return { driver, rounds, ...found }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

export function shortfalls(report: ArchiveReport, options: CrashOptions): string[] {
  const { acked, archived, restored, kills, rounds } = report
  const wanted = rounds * (options.ackedPerRound ?? ACKED_PER_ROUND)
  const missed: string[] = []
  if (acked < wanted) missed.push(`only ${acked} messages were acknowledged, at least ${wanted} must be`)
  if (archived < acked) missed.push(`only ${archived} of ${acked} acknowledged messages are in the archive`)
  if (restored !== archived) missed.push(`${archived} messages are in the archive, and ${restored} were restored`)
  for (const fault of ['lost', 'doubled', 'reordered', 'changed', 'damaged'] as const) {
    if (report[fault] > 0) missed.push(`${report[fault]} ${fault}`)
  }
  if (kills < rounds) missed.push(`${kills} kills in ${rounds} rounds`)
  return missed
}
