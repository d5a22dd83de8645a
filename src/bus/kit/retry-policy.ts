import type { Random } from '../../core/index.ts'
import type { RetryPolicy } from '../bus.ts'

export type ResolvedRetryPolicy = Required<RetryPolicy>

export function resolveRetryPolicy(policy: RetryPolicy = {}): ResolvedRetryPolicy {
  return {
    attemptsMax: policy.attemptsMax ?? 5,
    delayMs: policy.delayMs ?? 100,
    delayMsMax: policy.delayMsMax ?? 30_000,
    parkedMax: policy.parkedMax ?? 1_000,
    onDead: policy.onDead ?? 'continue',
  }
}

/** The delay before the next delivery of a message that has failed `attempts` times: doubled each time, full jitter. */
export function retryDelayMs(policy: ResolvedRetryPolicy, attempts: number, random: Random): number {
  const limitMs = Math.min(policy.delayMsMax, policy.delayMs * 2 ** Math.min(attempts - 1, 40))
  return random.float() * limitMs
}
