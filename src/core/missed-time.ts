/** Other clocks are read no more often than this: they cost more than the monotonic one. */
const EVERY_MS = 1

/**
 * How much further the fastest of other clocks has gone than the monotonic one since this began, ms. One of them set
 * back counts for nothing.
 */
export function missedTime(clocks: {
  readonly monotonicMs: () => number
  readonly others: ReadonlyArray<() => number>
}): () => number {
  const { monotonicMs, others } = clocks
  const aheadMs = () => others.map((clockMs) => clockMs() - monotonicMs())
  const atStartMs = aheadMs()
  let readAtMs = monotonicMs()
  let missedMs = 0
  return () => {
    const nowMs = monotonicMs()
    if (nowMs - readAtMs < EVERY_MS) return missedMs
    readAtMs = nowMs
    missedMs = Math.max(0, ...aheadMs().map((ahead, index) => ahead - atStartMs[index]!))
    return missedMs
  }
}
