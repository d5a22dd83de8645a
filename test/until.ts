import assert from 'node:assert/strict'
import { setTimeout as delay } from 'node:timers/promises'

const WITHIN_MS = 30_000

export interface Patience {
  /** Default 30,000. What waits for a server to begin again needs more. */
  readonly withinMs?: number
  /** How long to wait between two looks that cost something. Default: as little as can be. */
  readonly everyMs?: number
}

/** Waits until the condition holds. One that never will is a failure that says so, not a test that hangs. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  { withinMs = WITHIN_MS, everyMs }: Patience = {},
): Promise<void> {
  const untilMs = performance.now() + withinMs
  for (let turn = 0; !(await condition()); turn += 1) {
    assert.ok(performance.now() < untilMs, `not within ${withinMs} ms: ${condition}`)
    // Most conditions hold after a turn or two; the others need time to pass.
    if (everyMs === undefined && turn < 100) await new Promise<void>((resolve) => setImmediate(resolve))
    else await delay(everyMs ?? 1)
  }
}
