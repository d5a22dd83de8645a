import { type DamageResult, runDamageCase } from './log/damage-case.ts'
import { makeVictim, type VictimLog } from './log/damaged-log.ts'
import type { CrashOptions } from './variant.ts'

export interface DamageReport {
  readonly cases: number
  readonly silent: number
  readonly lostDurable: number
  readonly notes: readonly string[]
}

const SEGMENT_BYTES = 64 * 1024
const CASES_MIN = 65_536
/** Of the segments that have neighbours or no recorded end, every so many lengths are tried. */
const STRIDE = 16

/**
 * A segment of 64 KiB cut at every byte. At or past the end recorded as synced, the log must come back to the last
 * whole batch; below it, it must say what is lost, give all the rest, and leave the file alone.
 */
export async function run(options: CrashOptions): Promise<DamageReport> {
  const report = { cases: 0, silent: 0, lostDurable: 0, notes: [] as string[] }
  const fileBytes = SEGMENT_BYTES
  const thinning = Math.max(1, Math.ceil(SEGMENT_BYTES / (options.rounds ?? SEGMENT_BYTES)))
  const victims = [
    { stride: 1, victim: await makeVictim({ fileBytes, batchRecords: 20, ending: 'half', neighbours: false }) },
    { stride: STRIDE, victim: await makeVictim({ fileBytes, batchRecords: 20, ending: 'none', neighbours: false }) },
    { stride: STRIDE, victim: await makeVictim({ fileBytes, batchRecords: 20, ending: 'closed', neighbours: true }) },
  ]
  for (const { stride, victim } of victims) {
    const size = victim.image.get(victim.file)!.byteLength
    for (let length = 0; length < size; length += stride * thinning) {
      add(report, await truncated(victim, length), `cut at ${length}`)
      if (report.cases % 1_000 === 0) options.progress(`truncate ${report.cases}`)
    }
  }
  return report
}

export function shortfalls(report: DamageReport, options: CrashOptions): string[] {
  return damageShortfalls(report, options.rounds ?? CASES_MIN)
}

export function damageShortfalls(report: DamageReport, casesMin: number): string[] {
  const missed: string[] = []
  if (report.silent > 0) missed.push(`${report.silent} records were wrong or missing without an error`)
  if (report.lostDurable > 0) missed.push(`${report.lostDurable} synced bytes or undamaged records were lost`)
  if (report.cases < casesMin) missed.push(`only ${report.cases} cases ran`)
  return missed
}

export function add(
  report: { cases: number; silent: number; lostDurable: number; notes: string[] },
  result: DamageResult,
  what: string,
): void {
  report.cases += 1
  report.silent += result.silent
  report.lostDurable += result.lostDurable
  if (result.silent + result.lostDurable === 0 || report.notes.length === 10) return
  report.notes.push(`${what}: ${result.notes[0] ?? 'synced bytes or undamaged records were lost'}`)
}

async function truncated(victim: VictimLog, length: number): Promise<DamageResult> {
  const content = victim.image.get(victim.file)!
  return runDamageCase({
    victim,
    content: content.subarray(0, length),
    touched: (batch) => batch.end > length,
    // Past the recorded end nothing tells a batch that was synced from one that was torn.
    maybeTorn: (batch) => batch.end > length && batch.start >= victim.provenBytes,
    openings: length % 3 === 0 ? 2 : 1,
  })
}
