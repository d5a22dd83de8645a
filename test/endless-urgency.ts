import type { Precedence } from '../src/wire/index.ts'
import type { SimulatedClock } from '../testing/simulated-clock.ts'

const STEP_MS = 5

/** Urgent work without a gap: the next piece begins before the one before it is over. */
export async function endlessUrgency(
  parts: { readonly precedence: Precedence; readonly clock: SimulatedClock },
  options: { readonly durationMs: number; readonly eachStep: () => void },
): Promise<void> {
  const { precedence, clock } = parts
  let over = precedence.begin()
  for (let elapsedMs = 0; elapsedMs < options.durationMs; elapsedMs += STEP_MS) {
    await clock.advance(STEP_MS)
    const next = precedence.begin()
    over()
    over = next
    options.eachStep()
  }
  over()
}
