/** How long a process of the swarm takes from its start until it is ready, on two processors with nothing else to do. */
const START_USUAL_MS = 1_500
/** A machine that is slower than this is not waited for: something hangs, or nobody would wait either. */
const WAIT_MAX_MS = 90_000

/** From here on a missing scene may be the machine's doing. */
const SLOW_FROM = 2

/** Waits as long as a machine deserves: what takes long where all takes long is no fault. */
export class Patience {
  #slowness = 1

  /** A process was ready after so long. */
  started(tookMs: number): void {
    this.#slowness = Math.max(this.#slowness, tookMs / START_USUAL_MS)
  }

  /** How many times slower than usual the machine has been at its slowest; at least 1. */
  get slowness(): number {
    return this.#slowness
  }

  /** How long to wait for what usually takes up to `usualMs`. */
  waitMs(usualMs: number): number {
    return Math.max(usualMs, Math.min(usualMs * this.#slowness, WAIT_MAX_MS))
  }

  /** Says that the machine is much slower than usual; undefined when it is not. */
  slow(): string | undefined {
    if (this.#slowness < SLOW_FROM) return undefined
    const times = this.#slowness.toFixed(1)
    return `this machine is slow now: its processes take up to ${times} times as long to start as usual. Try again when it has less to do`
  }

  /** Says that something was not there after all that waiting, and whether the machine is to blame. */
  late(what: string, waitedMs: number): string {
    const why = this.slow() ?? 'the machine is not to blame: its processes start as fast as usual'
    return `${what} was late: waited for ${(waitedMs / 1_000).toFixed(1)} s; ${why}`
  }
}
