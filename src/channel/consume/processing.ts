import type { Batch, Lag, Reader, ReadLimits, RetryPolicy } from '../../bus/index.ts'
import type { Clock, Random } from '../../core/index.ts'
import { BatchSizer } from './batch-sizer.ts'
import type { Inbound } from './inbound.ts'
import { type MessageHandler, PartitionWorker } from './partition-worker.ts'
import { isFatal, isGap, isGone, isUnburied } from './settlement.ts'
import { TurnShare } from './turn-share.ts'

/** Acknowledgments under way before the reading waits for them. */
const ACKNOWLEDGING_MAX = 16
/** How often to look after large values that are unfinished while nothing comes. */
const UNFINISHED_LOOK_MS = 1_000
// As `RetryPolicy` has them.
const ATTEMPTS_MAX = 5
const RETRY_DELAY_MS = 100
const RETRY_DELAY_MS_MAX = 30_000

export interface ProcessingOptions<T> {
  readonly reader: Reader
  readonly inbound: Inbound<T>
  readonly handler: MessageHandler<T>
  readonly clock: Clock
  readonly concurrency: number | undefined
  readonly retry: RetryPolicy | undefined
  readonly random: Random
  /** Messages to take at once, at least: a large value must fit. */
  readonly messagesMin: number | undefined
  readonly onGap: 'skip' | 'stop' | undefined
  readonly onError: (error: unknown) => void
}

/** One reader, one worker per partition, as it runs. */
export class Processing<T> {
  /** Resolves when it has stopped, rejects with what ended it: a reader that cannot go on. */
  readonly done: Promise<void>
  readonly #options: ProcessingOptions<T>
  readonly #reader: Reader
  readonly #stop = new AbortController()
  readonly #close = new AbortController()
  readonly #workers = new Map<number, PartitionWorker<T>>()
  readonly #busy = new Map<number, Promise<void>>()
  readonly #acknowledging = new Set<Promise<void>>()
  readonly #sizer: BatchSizer
  readonly #turn: TurnShare
  #failure: { readonly error: unknown } | undefined

  constructor(options: ProcessingOptions<T>) {
    this.#options = options
    this.#reader = options.reader
    this.#sizer = new BatchSizer(options.messagesMin)
    this.#turn = new TurnShare(options.clock)
    this.done = this.#run()
    // Whoever does not look at `done` has been told by `onError`.
    this.done.catch(() => undefined)
  }

  lag(): Promise<readonly Lag[]> {
    return this.#reader.lag()
  }

  /** Finishes what runs, releases what was read and not tried, acknowledges the rest. Idempotent. */
  async stop(): Promise<void> {
    this.#stop.abort()
    for (const worker of this.#workers.values()) worker.stop()
    await this.done.catch(() => undefined)
    await this.#reader.drain()
  }

  /** Aborts the handlers' signal and waits for nothing: what they were given counts as tried. Idempotent. */
  async close(): Promise<void> {
    this.#stop.abort()
    this.#close.abort()
    await this.#reader.close()
  }

  async #run(): Promise<void> {
    try {
      while (!this.#stop.signal.aborted && this.#failure === undefined) await this.#next()
    } catch (error) {
      if (!this.#stop.signal.aborted) this.#fail(error)
    }
    await Promise.all(this.#busy.values())
    await Promise.all(this.#acknowledging)
    if (this.#failure !== undefined) throw this.#failure.error
  }

  async #next(): Promise<void> {
    const limits = { maxMessages: this.#sizer.messages, signal: this.#stop.signal }
    const isWhole = this.#options.inbound.chunks.isEmpty
    const batch = await this.#read(isWhole ? limits : { ...limits, waitMs: UNFINISHED_LOOK_MS })
    if (batch === null) return this.#tidy()
    const worker = this.#workerOf(batch.partition)
    await this.#busy.get(batch.partition)
    const startMs = this.#options.clock.monotonicMs()
    const work = worker.handle(batch)
    if (work === undefined) this.#finish(batch, { worker, startMs })
    else
      this.#keepBusy(
        batch.partition,
        work.then(() => this.#finish(batch, { worker, startMs })),
      )
    if (this.#acknowledging.size >= ACKNOWLEDGING_MAX) await Promise.race(this.#acknowledging)
  }

  async #read(limits: ReadLimits): Promise<Batch | null> {
    try {
      return await this.#reader.read(limits)
    } catch (error) {
      const goesOn = isUnburied(error) || (isGap(error) && this.#options.onGap !== 'stop')
      if (!goesOn) throw error
      this.#options.onError(error)
      return null
    }
  }

  async #tidy(): Promise<void> {
    for (const [partition, worker] of this.#workers) {
      if (!this.#busy.has(partition)) await worker.tidy(partition).catch((error: unknown) => this.#failSettling(error))
    }
  }

  /** Settling and acknowledging need not be waited for before the next batch, within a bound. */
  #finish(batch: Batch, { worker, startMs }: { readonly worker: PartitionWorker<T>; readonly startMs: number }): void {
    this.#sizer.took(this.#options.clock.monotonicMs() - startMs)
    const acknowledging = worker
      .finish(batch)
      .catch((error: unknown) => this.#failSettling(error))
      .finally(() => this.#acknowledging.delete(acknowledging))
    this.#acknowledging.add(acknowledging)
  }

  #keepBusy(partition: number, work: Promise<void>): void {
    const busy = work.finally(() => {
      if (this.#busy.get(partition) === busy) this.#busy.delete(partition)
    })
    this.#busy.set(partition, busy)
  }

  /** A full disk heals, and what could not be settled comes again: it is reported, and the reading goes on. */
  #failSettling(error: unknown): void {
    if (isGone(error)) return
    if (isFatal(error)) this.#fail(error)
    else this.#options.onError(error)
  }

  /** A revoked partition is another reader's now; anything else ends the processing, and whoever started it is told. */
  #fail(error: unknown): void {
    if (isGone(error)) return
    if (this.#failure !== undefined) return
    this.#failure = { error }
    this.#stop.abort()
    this.#options.onError(error)
  }

  #workerOf(partition: number): PartitionWorker<T> {
    const known = this.#workers.get(partition)
    if (known !== undefined) return known
    const { reader, inbound, handler, concurrency, retry, onError } = this.#options
    const worker = new PartitionWorker<T>({
      reader,
      inbound,
      handler,
      signal: this.#close.signal,
      turn: this.#turn,
      concurrency: concurrency ?? 1,
      attemptsMax: retry?.attemptsMax ?? ATTEMPTS_MAX,
      retryDelay: (attempts) => this.#retryDelay(attempts),
      onError,
    })
    this.#workers.set(partition, worker)
    return worker
  }

  async #retryDelay(attempts: number): Promise<void> {
    const { clock, random, retry } = this.#options
    const doubledMs = (retry?.delayMs ?? RETRY_DELAY_MS) * 2 ** (attempts - 1)
    const delayMs = Math.min(doubledMs, retry?.delayMsMax ?? RETRY_DELAY_MS_MAX) * random.float()
    await clock.sleep(delayMs, { signal: this.#stop.signal }).catch(() => undefined)
  }
}
