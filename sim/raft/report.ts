import type { Failure, Outcome } from './simulate.ts'
import { FAULT_KINDS } from './tally.ts'

/** What a worker tells of one run. */
export interface SeedResult {
  readonly seed: number
  readonly events: number
  readonly virtualMs: number
  readonly acked: number
  readonly reads: number
  readonly leaderChanges: number
  readonly snapshotsInstalled: number
  readonly configChanges: number
  readonly processorMs: number
  readonly faults: Readonly<Record<string, number>>
  readonly failure?: Failure
}

/** What all runs together showed. */
export interface SimReport {
  readonly seeds: number
  readonly events: number
  readonly virtualSecondsMedian: number
  readonly acked: number
  readonly reads: number
  readonly leaderChanges: number
  readonly snapshotsInstalled: number
  readonly configChanges: number
  readonly faults: Readonly<Record<string, number>>
  readonly violations: number
  readonly livenessFailures: number
  readonly linearizable: boolean
  /** What it took: by the clock on the wall, which other programs make longer, and of processors. */
  readonly seconds: number
  readonly processorSeconds: number
  readonly failures: ReadonlyArray<{ readonly seed: number } & Failure>
}

/** Rare faults need this many seeds to be certain of having happened. */
const SEEDS_FOR_EVERY_FAULT = 100
const ACKED_PER_SEED_MIN = 100
const VIRTUAL_SECONDS_MIN = 60
/** 500 seeds in ten minutes on two processors. */
const PROCESSOR_SECONDS_PER_SEED_MAX = 2.4

export function resultOf(seed: number, outcome: Outcome, processorMs = 0): SeedResult {
  const { events, virtualMs, tally, leaderChanges, failure } = outcome
  const { acked, reads, snapshotsInstalled, configChanges, faults } = tally
  return {
    seed,
    events,
    virtualMs,
    acked,
    reads,
    leaderChanges: Math.max(0, leaderChanges - 1),
    snapshotsInstalled,
    configChanges,
    processorMs,
    faults: Object.fromEntries(faults),
    ...(failure !== undefined && { failure }),
  }
}

export function reportOf(results: readonly SeedResult[], seconds: number): SimReport {
  const sum = (of: (result: SeedResult) => number) => results.reduce((total, result) => total + of(result), 0)
  const failures = results.flatMap(({ seed, failure }) => (failure === undefined ? [] : [{ seed, ...failure }]))
  const ofKind = (kind: Failure['kind']) => failures.filter((failure) => failure.kind === kind).length
  const durations = results.map(({ virtualMs }) => virtualMs).sort((one, other) => one - other)
  return {
    seeds: results.length,
    events: sum(({ events }) => events),
    virtualSecondsMedian: Math.round((durations[durations.length >>> 1] ?? 0) / 100) / 10,
    acked: sum(({ acked }) => acked),
    reads: sum(({ reads }) => reads),
    leaderChanges: sum(({ leaderChanges }) => leaderChanges),
    snapshotsInstalled: sum(({ snapshotsInstalled }) => snapshotsInstalled),
    configChanges: sum(({ configChanges }) => configChanges),
    faults: Object.fromEntries(FAULT_KINDS.map((kind) => [kind, sum(({ faults }) => faults[kind] ?? 0)])),
    violations: ofKind('violation'),
    livenessFailures: ofKind('liveness'),
    linearizable: ofKind('linearizability') === 0,
    seconds: Math.round(seconds * 10) / 10,
    processorSeconds: Math.round(sum(({ processorMs }) => processorMs) / 100) / 10,
    failures,
  }
}

/** The bars that a report misses, each as a sentence. */
export function shortfalls(report: SimReport): string[] {
  const missed = report.failures.map(({ seed, invariant }) => `seed ${seed} failed: ${invariant}`)
  if (report.seeds < 10) return missed
  if (report.virtualSecondsMedian < VIRTUAL_SECONDS_MIN)
    missed.push('the median run is shorter than 60 virtual seconds')
  if (report.acked < ACKED_PER_SEED_MIN * report.seeds) missed.push(`only ${report.acked} commands were acknowledged`)
  for (const name of ['leaderChanges', 'snapshotsInstalled', 'configChanges'] as const) {
    if (report[name] === 0) missed.push(`${name} is 0`)
  }
  if (report.seeds < SEEDS_FOR_EVERY_FAULT) return missed
  if (report.processorSeconds > PROCESSOR_SECONDS_PER_SEED_MAX * report.seeds) {
    missed.push(`it took ${report.processorSeconds} s of processors`)
  }
  for (const [kind, count] of Object.entries(report.faults)) if (count === 0) missed.push(`no fault ${kind} happened`)
  return missed
}
