import { type Clock, ClosedError } from '../../../core/index.ts'
import type { Batch, Delivery, ReadLimits } from '../../index.ts'
import { WaitPoint } from '../../kit/index.ts'

const MESSAGES_MAX = 4_096
const BYTES_MAX = 1024 * 1024

/** What one read is limited to, decided. */
export interface ReadSizes {
  readonly countMax: number
  readonly bytesMax: number
  /** By the wall clock. */
  readonly nowMs: number
}

/** One partition as its reader asks it. */
export interface Source {
  readonly partition: number
  readonly generation: number
  /** Something may be there. */
  canGive(): boolean
  /** Undefined when there was nothing after all. Throws what the reader is to be told. */
  take(sizes: ReadSizes): readonly Delivery[] | undefined | Promise<readonly Delivery[] | undefined>
  /** On the monotonic clock: when something may come without a message arriving. */
  nextDueMs(): number | undefined
}

/** What every reader of this driver shares: turns among its partitions, waiting, waking, closing. */
export class ReadLoop<S extends Source> {
  readonly #topic: string
  readonly #clock: Clock
  readonly #waits: WaitPoint
  #sources: readonly S[] = []
  #turn = 0
  #failure: Error | undefined
  #isClosed = false

  constructor(topic: string, clock: Clock) {
    this.#topic = topic
    this.#clock = clock
    this.#waits = new WaitPoint(clock)
  }

  get sources(): readonly S[] {
    return this.#sources
  }

  set sources(sources: readonly S[]) {
    this.#sources = sources
    this.wake()
  }

  get isClosed(): boolean {
    return this.#isClosed
  }

  closedError(): ClosedError {
    return new ClosedError(`the reader of "${this.#topic}"`)
  }

  wake(): void {
    this.#waits.wake()
  }

  /** Nothing can be read any more, and every read says why. */
  fail(error: Error): void {
    this.#failure = error
    this.wake()
  }

  async read(limits: ReadLimits = {}): Promise<Batch | null> {
    const deadlineMs = limits.waitMs === undefined ? undefined : this.#clock.monotonicMs() + limits.waitMs
    const countMax = limits.maxMessages ?? MESSAGES_MAX
    const bytesMax = limits.maxBytes ?? BYTES_MAX
    for (;;) {
      this.#check(limits.signal)
      for (let tried = this.#sources.length; tried > 0; tried -= 1) {
        this.#turn = (this.#turn + 1) % this.#sources.length
        const source = this.#sources[this.#turn]!
        if (!source.canGive()) continue
        const { partition, generation } = source
        const deliveries = await source.take({ countMax, bytesMax, nowMs: this.#clock.nowMs() })
        if (this.#isClosed) throw this.closedError()
        if (deliveries !== undefined && deliveries.length > 0) {
          return { topic: this.#topic, partition, generation, deliveries, last: deliveries.at(-1)!.position }
        }
        tried = Math.min(tried, this.#sources.length)
      }
      if (!(await this.#waitForMore(limits.signal, deadlineMs))) return null
    }
  }

  #check(signal: AbortSignal | undefined): void {
    signal?.throwIfAborted()
    if (this.#isClosed) throw this.closedError()
    if (this.#failure !== undefined) throw this.#failure
  }

  /** False at the deadline. */
  async #waitForMore(signal: AbortSignal | undefined, deadlineMs: number | undefined): Promise<boolean> {
    const nowMs = this.#clock.monotonicMs()
    if (deadlineMs !== undefined && nowMs >= deadlineMs) return false
    let untilMs = deadlineMs
    for (const source of this.#sources) {
      if (source.canGive()) return true
      const dueMs = source.nextDueMs()
      if (dueMs !== undefined && (untilMs === undefined || dueMs < untilMs)) untilMs = dueMs
    }
    const delayMs = untilMs === undefined ? undefined : Math.max(0, untilMs - nowMs)
    await this.#waits.wait({ delayMs, signal })
    return true
  }

  close(): boolean {
    if (this.#isClosed) return false
    this.#isClosed = true
    this.#waits.fail(this.closedError())
    return true
  }
}
