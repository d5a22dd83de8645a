import type { Clock, Random } from '../core/index.ts'

const FIRST_MS = 50
const LONGEST_MS = 5_000

/** Waits before the next try, longer after each, with full jitter; no longer than the signal lets it. */
export async function backOff(
  tries: number,
  by: { readonly clock: Clock; readonly random: Random; readonly signal: AbortSignal },
): Promise<void> {
  const limitMs = Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(tries, 16))
  await by.clock.sleep(by.random.float() * limitMs, { signal: by.signal }).catch(() => {})
}
