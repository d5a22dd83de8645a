import type { Random } from '../../core/index.ts'

/** Doubling with equal jitter: between half of the step and all of it, so that many do not come back together. */
export function backoffMs(
  attempt: number,
  options: { readonly firstMs: number; readonly maxMs: number; readonly random: Random },
): number {
  const stepMs = Math.min(options.maxMs, options.firstMs * 2 ** Math.min(attempt, 30))
  return stepMs / 2 + (options.random.float() * stepMs) / 2
}
