import { test } from 'node:test'
import { appendCases } from './replicated-log/append-cases.ts'
import { lifeCases } from './replicated-log/life-cases.ts'
import { readCases } from './replicated-log/read-cases.ts'
import { restartCases } from './replicated-log/restart-cases.ts'
import { snapshotCases } from './replicated-log/snapshot-cases.ts'
import type { ReplicatedLogCase, ReplicatedLogWorld } from './replicated-log/world.ts'

const CASE_MS = 30_000

/** What every replicated log does alike, in the same words for all of them. */
export const replicatedLogCases: readonly ReplicatedLogCase[] = [
  ...appendCases,
  ...readCases,
  ...snapshotCases,
  ...restartCases,
  ...lifeCases,
]

export interface ReplicatedLogConformanceOptions {
  /** The implementation's name, in front of every test's. */
  readonly name: string
  readonly create: () => Promise<ReplicatedLogWorld>
  /** Names of cases that this implementation does not run, each with the reason. */
  readonly skip?: Readonly<Record<string, string>>
  /** How long one case may take. Default 30,000. */
  readonly caseMs?: number
}

/** Registers the whole suite with `node:test`. */
export function replicatedLogConformance(options: ReplicatedLogConformanceOptions): void {
  for (const one of replicatedLogCases) {
    const skip = options.skip?.[one.name] ?? false
    test(`${options.name}: ${one.name}`, { skip, timeout: options.caseMs ?? CASE_MS }, () =>
      runReplicatedLogCase(one, options.create),
    )
  }
}

/** Runs one case in a world of its own. Rejects with what went wrong. */
export async function runReplicatedLogCase(
  one: ReplicatedLogCase,
  create: () => Promise<ReplicatedLogWorld>,
): Promise<void> {
  const world = await create()
  try {
    await one.run(world)
  } finally {
    await world.close()
  }
}
