import { median } from '../channel/median.ts'
import type { Loaded } from './load-client.ts'

export interface Figures {
  readonly perSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
}

/** Of clients that ran at the same time. */
export function figuresOf(loaded: readonly Loaded[]): Figures {
  const startedAtMs = Math.min(...loaded.map((one) => one.startedAtMs))
  const endedAtMs = Math.max(...loaded.map((one) => one.endedAtMs))
  const acknowledged = loaded.reduce((sum, one) => sum + one.acknowledged, 0)
  const waits = loaded.flatMap((one) => one.waits).sort(([left], [right]) => left - right)
  return {
    perSecond: (acknowledged * 1_000) / (endedAtMs - startedAtMs),
    p50Ms: percentile(waits, 0.5),
    p99Ms: percentile(waits, 0.99),
  }
}

/** Each proposal counts, not each answer. */
function percentile(sorted: Loaded['waits'], share: number): number {
  let left = share * sorted.reduce((sum, [, proposals]) => sum + proposals, 0)
  for (const [ms, proposals] of sorted) {
    left -= proposals
    if (left <= 0) return ms
  }
  return Number.NaN
}

export function medianOf(rounds: readonly Figures[]): Figures {
  return {
    perSecond: Math.round(median(rounds.map((round) => round.perSecond))),
    p50Ms: rounded(median(rounds.map((round) => round.p50Ms))),
    p99Ms: rounded(median(rounds.map((round) => round.p99Ms))),
  }
}

export function rounded(value: number): number {
  return Math.round(value * 1_000) / 1_000
}
