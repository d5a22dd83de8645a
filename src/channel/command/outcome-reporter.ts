import type { Bus, Writer } from '../../bus/index.ts'
import { type Clock, type Random, SkeinError } from '../../core/index.ts'
import { backoffMs } from './backoff.ts'
import { encodeReport, OUTCOMES_TOPIC, type OutcomeReport } from './outcome-record.ts'

export interface OutcomeReporterOptions {
  readonly bus: Bus
  readonly clock: Clock
  readonly random: Random
  /** The report is stored. */
  readonly onReported: (report: OutcomeReport) => void
  readonly onError: (error: unknown) => void
}

const WAITING_MAX = 10_000
const BATCH_MAX = 256

/**
 * Writes outcome events. What waits goes together in one batch; what the bus did not take is tried again. Beyond its
 * bound reports are dropped: their outcomes are stored, and a resend or a restart reports them again.
 */
export class OutcomeReporter {
  readonly #options: OutcomeReporterOptions
  readonly #waiting: OutcomeReport[] = []
  readonly #stop = new AbortController()
  #writer: Writer | undefined
  #writing: Promise<void> | undefined

  constructor(options: OutcomeReporterOptions) {
    this.#options = options
  }

  report(report: OutcomeReport): void {
    if (this.#stop.signal.aborted) return
    if (this.#waiting.length >= WAITING_MAX) return
    this.#waiting.push(report)
    this.#writing ??= this.#writeAll().finally(() => {
      this.#writing = undefined
    })
  }

  /** Waits for what was reported. */
  async drain(): Promise<void> {
    await this.#writing
    await this.close()
  }

  async close(): Promise<void> {
    if (this.#stop.signal.aborted) return
    this.#stop.abort()
    await this.#writer?.close()
  }

  async #writeAll(): Promise<void> {
    // One turn, so that outcomes decided together are written together.
    await Promise.resolve()
    let failures = 0
    while (this.#waiting.length > 0 && !this.#stop.signal.aborted) {
      const batch = this.#waiting.slice(0, BATCH_MAX)
      if (await this.#write(batch)) {
        this.#waiting.splice(0, batch.length)
        failures = 0
        for (const report of batch) this.#options.onReported(report)
      } else {
        await this.#pause(failures)
        failures += 1
      }
    }
  }

  async #write(batch: readonly OutcomeReport[]): Promise<boolean> {
    try {
      this.#writer ??= this.#options.bus.writer(OUTCOMES_TOPIC)
      await this.#writer.write(batch.map(encodeReport))
      return true
    } catch (error) {
      if (!(error instanceof SkeinError && error.retryable)) this.#options.onError(error)
      return false
    }
  }

  async #pause(failures: number): Promise<void> {
    const delayMs = backoffMs(failures, { firstMs: 50, maxMs: 5_000, random: this.#options.random })
    await this.#options.clock.sleep(delayMs, { signal: this.#stop.signal }).catch(() => {})
  }
}
