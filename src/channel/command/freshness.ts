/**
 * Whether a command may still be claimed. Without a bounded estimate of node time it counts as expired: better a
 * command that did not run than one that runs too late.
 */
export function isFresh(deadlineMs: number, latestNodeMs: number | undefined): boolean {
  return latestNodeMs !== undefined && latestNodeMs <= deadlineMs
}

/** How long until a deadline has certainly been reached; 0 when it may have passed already. */
export function remainingMs(deadlineMs: number, latestNodeMs: number | undefined): number {
  return latestNodeMs === undefined ? 0 : Math.max(0, deadlineMs - latestNodeMs)
}
