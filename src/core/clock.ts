/** Time, handed in wherever something must agree or be simulated. Only `core/system` reads the machine's. */
export interface Clock {
  /** Wall-clock time, whole milliseconds since 1970-01-01 UTC. It may jump either way. */
  nowMs(): number
  /** Milliseconds from an arbitrary start, with fractions. It never goes back. */
  monotonicMs(): number
  /**
   * Milliseconds that have passed and that the monotonic clock did not count, as far as the machine's other clocks show:
   * it was suspended, or paused by whoever runs it. A wall clock set forwards looks the same. Only growth means anything.
   */
  missedMs(): number
  /** Calls back once after `delayMs`. The timer does not keep a process alive unless `keepAlive` is set. */
  setTimer(callback: () => void, delayMs: number, options?: { readonly keepAlive?: boolean }): Timer
  /** Calls back after the I/O that is ready now, before any timer that is not yet due. */
  setImmediate(callback: () => void): void
  /** Resolves after `delayMs`; rejects with `signal.reason` when aborted. */
  sleep(delayMs: number, options?: { readonly signal?: AbortSignal }): Promise<void>
}

export interface Timer {
  /** Idempotent. */
  cancel(): void
}
