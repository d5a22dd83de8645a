import type { NodeTime } from '../channel/index.ts'
import type { Clock } from '../core/index.ts'

/** Node time where the node itself runs: its own clock, known exactly. */
export function localNodeTime(clock: Clock): NodeTime {
  return { latestMs: () => clock.nowMs(), earliestMs: () => clock.nowMs() }
}
