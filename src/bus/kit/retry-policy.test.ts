import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { seededRandom } from '../../../testing/index.ts'
import { resolveRetryPolicy, retryDelayMs } from './retry-policy.ts'

const policy = resolveRetryPolicy({ delayMs: 100, delayMsMax: 2_000 })

/** The longest and the mean of many delays after so many failures. */
function delays(attempts: number): { longestMs: number; meanMs: number } {
  const random = seededRandom(attempts)
  const all = Array.from({ length: 2_000 }, () => retryDelayMs(policy, attempts, random))
  return { longestMs: Math.max(...all), meanMs: all.reduce((sum, one) => sum + one, 0) / all.length }
}

describe('retryDelayMs()', () => {
  it('doubles with each failure up to its limit, with full jitter', () => {
    for (const [attempts, limitMs] of [
      [1, 100],
      [2, 200],
      [3, 400],
      [5, 1_600],
      [6, 2_000],
      [100, 2_000],
    ] as const) {
      const { longestMs, meanMs } = delays(attempts)
      assert.ok(longestMs <= limitMs && longestMs > limitMs * 0.95, `after ${attempts}: up to ${longestMs} ms`)
      assert.ok(Math.abs(meanMs - limitMs / 2) < limitMs * 0.05, `after ${attempts}: ${meanMs} ms in the mean`)
    }
  })
})
