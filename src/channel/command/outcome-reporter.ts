import type { Bus, Writer } from '../../bus/index.ts'
import { type Clock, type Random, SkeinError } from '../../core/index.ts'
import { backoffMs } from './backoff.ts'
import { encodeReport, OUTCOMES_TOPIC, type OutcomeReport } from './outcome-record.ts'
import { refusalOf } from './refusal-of.ts'
import { withoutReply } from './reply-bound.ts'

export interface OutcomeReporterOptions {
  readonly bus: Bus
  readonly clock: Clock
  readonly random: Random
  /** The report is stored. */
  readonly onReported: (report: OutcomeReport) => void
  /** There is room again after reports were dropped: who has the outcomes may report them once more. */
  readonly onDropped?: () => void
  readonly onError: (error: unknown) => void
}

const WAITING_MAX = 10_000
const WAITING_BYTES_MAX = 8 * 1024 * 1024
const BATCH_MAX = 256
/** A batch ends with the first report that reaches it. */
const BATCH_BYTES = 1024 * 1024

/**
 * Writes outcome events. What waits goes together in one batch; what the bus did not take is tried again. Beyond its
 * bounds reports are dropped: their outcomes are stored, and are reported again when there is room.
 */
export class OutcomeReporter {
  readonly #options: OutcomeReporterOptions
  readonly #waiting: OutcomeReport[] = []
  #waitingBytes = 0
  #hasDropped = false
  /** So many of those that wait are written one by one: the bus refused one of them. */
  #alone = 0
  readonly #stop = new AbortController()
  #writer: Writer | undefined
  #writing: Promise<void> | undefined

  constructor(options: OutcomeReporterOptions) {
    this.#options = options
  }

  report(report: OutcomeReport): void {
    if (this.#stop.signal.aborted) return
    const isFull = this.#waiting.length >= WAITING_MAX || this.#waitingBytes >= WAITING_BYTES_MAX
    if (isFull) {
      this.#hasDropped = true
      return
    }
    this.#waiting.push(report)
    this.#waitingBytes += bytesOf(report)
    this.#start()
  }

  #start(): void {
    this.#writing ??= this.#writeAll().finally(() => {
      this.#writing = undefined
      // One that came after the last look, and before this, would lie here until the next one.
      if (this.#waiting.length > 0 && !this.#stop.signal.aborted) this.#start()
      else this.#tellDropped()
    })
  }

  /** Waits for what was reported. */
  async drain(): Promise<void> {
    while (this.#writing !== undefined) await this.#writing
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
      const batch = this.#nextBatch()
      try {
        await this.#write(batch)
        failures = 0
        this.#forget(batch)
        for (const report of batch) this.#options.onReported(report)
      } catch (error) {
        if (refusalOf(error) !== undefined) {
          this.#onRefused(batch, error)
          continue
        }
        if (!(error instanceof SkeinError && error.retryable)) this.#options.onError(error)
        await this.#pause(failures)
        failures += 1
      }
    }
  }

  #forget(batch: readonly OutcomeReport[]): void {
    this.#waiting.splice(0, batch.length)
    for (const report of batch) this.#waitingBytes -= bytesOf(report)
    this.#alone = Math.max(0, this.#alone - batch.length)
  }

  /** One report that the bus will never take must not hold up the others: it is found out, said with less, or let go. */
  #onRefused(batch: readonly OutcomeReport[], error: unknown): void {
    const [report, ...others] = batch
    if (others.length > 0 || report === undefined) {
      this.#alone = batch.length
      return
    }
    this.#options.onError(error)
    const lesser = refusalOf(error) === 'message-too-large' ? withoutReply(report.outcome) : undefined
    this.#forget(batch)
    if (lesser === undefined) return
    const shortened = { ...report, outcome: lesser }
    this.#waiting.unshift(shortened)
    this.#waitingBytes += bytesOf(shortened)
  }

  #tellDropped(): void {
    if (!this.#hasDropped || this.#stop.signal.aborted) return
    this.#hasDropped = false
    this.#options.onDropped?.()
  }

  #nextBatch(): readonly OutcomeReport[] {
    if (this.#alone > 0) return this.#waiting.slice(0, 1)
    let bytes = 0
    const end = this.#waiting.findIndex((report, index) => {
      bytes += bytesOf(report)
      return index + 1 === BATCH_MAX || bytes >= BATCH_BYTES
    })
    return this.#waiting.slice(0, end === -1 ? undefined : end + 1)
  }

  async #write(batch: readonly OutcomeReport[]): Promise<void> {
    this.#writer ??= this.#options.bus.writer(OUTCOMES_TOPIC)
    await this.#writer.write(batch.map(encodeReport))
  }

  async #pause(failures: number): Promise<void> {
    const delayMs = backoffMs(failures, { firstMs: 50, maxMs: 5_000, random: this.#options.random })
    await this.#options.clock.sleep(delayMs, { signal: this.#stop.signal }).catch(() => {})
  }
}

function bytesOf({ outcome }: OutcomeReport): number {
  return (outcome.reply?.length ?? 0) + (outcome.message?.length ?? 0)
}
