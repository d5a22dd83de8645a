import type { SyscallCase } from './syscalls/case.ts'
import { simulatedCases } from './syscalls/simulated.ts'
import { tracedCases } from './syscalls/traced.ts'
import type { CrashOptions } from './variant.ts'

export interface SyscallReport {
  readonly cases: number
  /** Cases by the call that failed; those of real processes under the system's own name. */
  readonly byCall: Readonly<Record<string, number>>
  /** Real processes whose system calls were made to fail; 0 where the machine has no strace. */
  readonly traced: number
  /** System calls of those processes that really were made to fail. */
  readonly injected: number
  readonly silent: number
  readonly lostDurable: number
  readonly notes: readonly string[]
}

const CASES_MIN = 100

/**
 * Each system call of a log's life made to fail in turn, once and for good: on the simulated disk every one, in real
 * processes a sample. What was acknowledged must be there afterwards, every failure must have its type, and once the
 * cause is gone the log must work again: at once, or after a restart where it said so.
 */
export async function run(options: CrashOptions): Promise<SyscallReport> {
  const byCall: Record<string, number> = {}
  const report = { cases: 0, traced: 0, injected: 0, silent: 0, lostDurable: 0, notes: [] as string[] }
  const take = (one: SyscallCase) => {
    report.cases += 1
    report.silent += one.silent
    report.lostDurable += one.lost
    byCall[one.call] = (byCall[one.call] ?? 0) + 1
    if (one.silent + one.lost > 0 && report.notes.length < 10) report.notes.push(`${one.what}: ${one.notes.join('; ')}`)
    if (report.cases % 20 === 0) options.progress(`syscalls ${report.cases}`)
  }
  for await (const one of simulatedCases(options.seed, options.rounds)) take(one)
  for await (const one of tracedCases(options.rounds)) {
    report.traced += 1
    report.injected += one.injected
    take(one)
  }
  return { ...report, byCall }
}

export function shortfalls(report: SyscallReport, options: CrashOptions): string[] {
  const missed: string[] = []
  if (report.silent > 0) missed.push(`${report.silent} failures were silent or without a type`)
  if (report.lostDurable > 0) missed.push(`${report.lostDurable} acknowledged records were lost`)
  if (report.traced > 0 && report.injected === 0)
    missed.push('strace made no call fail: the real processes show nothing')
  if (report.cases < (options.rounds ?? CASES_MIN)) missed.push(`only ${report.cases} cases ran`)
  return missed
}
