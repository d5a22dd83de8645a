import assert from 'node:assert/strict'

const PATIENCE_MS = 10_000

/** Waits until the condition holds. One that never will is a failure that says so, not a test that hangs. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const untilMs = performance.now() + PATIENCE_MS
  for (let turn = 0; !(await condition()); turn += 1) {
    assert.ok(performance.now() < untilMs, `not within ${PATIENCE_MS} ms: ${condition}`)
    // Most conditions hold after a turn or two; the others need time to pass.
    await new Promise<void>((resolve) => (turn < 100 ? setImmediate(resolve) : setTimeout(resolve, 1)))
  }
}
