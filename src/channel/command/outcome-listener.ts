import type { Bus, Position, Reader } from '../../bus/index.ts'
import { type Clock, type Random, SkeinError } from '../../core/index.ts'
import { backoffMs } from './backoff.ts'
import { decodeReport, OUTCOMES_TOPIC, type OutcomeReport, outcomeSubject } from './outcome-record.ts'

export interface OutcomeListenerOptions {
  readonly bus: Bus
  readonly clock: Clock
  readonly random: Random
  readonly sender: string
  readonly onReport: (report: OutcomeReport) => void
  readonly onError: (error: unknown) => void
}

/** Hears every outcome reported to one sender from `listening` on, over lost connections too. */
export class OutcomeListener {
  readonly #options: OutcomeListenerOptions
  readonly #stop = new AbortController()
  readonly #ready = Promise.withResolvers<void>()
  readonly #running: Promise<void>
  /** Where to go on after a failure, of each partition: hearing one twice does no harm. */
  readonly #heard = new Map<number, Position>()

  constructor(options: OutcomeListenerOptions) {
    this.#options = options
    this.#running = this.#listenForEver()
  }

  /** Resolves once nothing reported from then on is missed. */
  get listening(): Promise<void> {
    return this.#ready.promise
  }

  async close(): Promise<void> {
    this.#stop.abort(new SkeinError('closed', 'Cannot hear outcomes: the sender is closed'))
    await this.#running
  }

  async #listenForEver(): Promise<void> {
    for (let failures = 0; !this.#stop.signal.aborted; failures += 1) {
      const reader = this.#open()
      try {
        await this.#begin(reader)
        failures = 0
        await this.#readFrom(reader)
      } catch (error) {
        const expected = this.#stop.signal.aborted || (error instanceof SkeinError && error.retryable)
        if (!expected) this.#options.onError(error)
      } finally {
        await reader.close().catch(() => {})
      }
      const delayMs = backoffMs(failures, { firstMs: 100, maxMs: 5_000, random: this.#options.random })
      await this.#options.clock.sleep(delayMs, { signal: this.#stop.signal }).catch(() => {})
    }
    this.#ready.resolve()
  }

  #open(): Reader {
    const subjects = [outcomeSubject(this.#options.sender)]
    return this.#options.bus.reader(OUTCOMES_TOPIC, { mode: 'broadcast', subjects, from: 'latest', overflow: 'wait' })
  }

  /** `latest` may mean "when the first read comes": the ends are asked for and sought, and then nothing is missed. */
  async #begin(reader: Reader): Promise<void> {
    const ends = await reader.end()
    for (const end of ends) if (!this.#heard.has(end.partition)) this.#heard.set(end.partition, end)
    await reader.seek([...this.#heard.values()])
    this.#ready.resolve()
  }

  async #readFrom(reader: Reader): Promise<void> {
    const { signal } = this.#stop
    while (!signal.aborted) {
      const batch = await reader.read({ signal })
      if (batch === null) continue
      for (const delivery of batch.deliveries) {
        const report = decodeReport(delivery)
        if (report !== undefined) this.#options.onReport(report)
      }
      this.#heard.set(batch.partition, batch.last)
    }
  }
}
