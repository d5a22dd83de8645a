import { type Batch, EndMarks, type Position, type Reader } from '../../bus/index.ts'
import { type Clock, type Random, SkeinError } from '../../core/index.ts'
import type { ObjectStore } from '../../objects/index.ts'
import { cameThrough } from '../moved-headers.ts'
import { retrying } from '../retrying.ts'
import { SourceFeed } from '../source-feed.ts'
import type { ArchiveStatus } from './archive-options.ts'
import type { ArchiveProgress } from './archive-progress.ts'
import type { ArchiveSource } from './archive-record.ts'
import type { ArchiveWriter } from './archive-writer.ts'
import { SegmentBuilder } from './segment-builder.ts'

const CHUNK = { messagesMax: 8_192, bytesMax: 2 * 1024 * 1024 }
/** A segment of less is not closed because an hour ends. */
const PART_OF_HOUR = 1 / 16

export interface ArchiveParts {
  readonly source: ArchiveSource
  readonly reader: Reader
  /** Where the reader begins. */
  readonly from: readonly Position[]
  readonly store: ObjectStore
  /** Has claimed. */
  readonly writer: ArchiveWriter
  readonly progress: ArchiveProgress
  readonly clock: Clock
  readonly random: Random
  readonly segmentBytes: number
  readonly segmentAgeMs: number
  readonly windowBytes: number
  readonly beatMs: number
  readonly onProblem: (problem: SkeinError) => void
  /** Ends everything the archive waits for. */
  readonly stop: AbortController
}

/**
 * Writes a topic's messages into an object store: segments that never change, each named by a record of the manifest once it is
 * stored. How far the archive is stands in the manifest alone. `openArchive` makes one.
 */
export class Archive {
  readonly #parts: ArchiveParts
  readonly #feed: SourceFeed
  #state: ArchiveStatus['state'] = 'archiving'
  #builder: SegmentBuilder
  /** Messages of segments that are closed and not yet in the manifest. */
  #storingMessages = 0
  #storingOldestMs = Number.POSITIVE_INFINITY
  #storing: Promise<void> = Promise.resolve()
  #failure: unknown
  /** Aborted by whoever ends the archiver: what fails from then on is not tried again. */
  readonly #lastTry = new AbortController()
  #hasLeft = false
  #archived = 0
  #looped = 0
  #marks: EndMarks | undefined
  #isBusy = false

  constructor(parts: ArchiveParts) {
    this.#parts = parts
    this.#builder = new SegmentBuilder(parts.clock.monotonicMs())
    const { clock, random, stop, windowBytes } = parts
    this.#feed = new SourceFeed(parts.reader, {
      ...{ clock, random, windowBytes, signal: stop.signal },
      onProblem: (problem) => this.#onSourceProblem(problem),
      onRead: () => this.#isBack('source-away'),
      onIdle: () => void this.#onIdle(),
    })
  }

  /**
   * Archives until the signal comes, or, with `untilEnd`, until everything is archived that is in the source now. What was read
   * is stored. Once. Rejects with `fenced` where another archiver took over, `position-gone` where the topic turns out to be
   * another, and with what only a person can mend.
   */
  async run(options: { readonly signal?: AbortSignal; readonly untilEnd?: boolean } = {}): Promise<void> {
    const { stop, reader, from } = this.#parts
    const { signal } = options
    const onAbort = () => {
      this.#lastTry.abort()
      stop.abort()
    }
    if (signal?.aborted) onAbort()
    signal?.addEventListener('abort', onAbort, { once: true })
    const over = new AbortController()
    const beating = this.#beat(over.signal)
    try {
      if (options.untilEnd) this.#marks = await EndMarks.of(reader, from)
      if (this.#marks?.reached) stop.abort()
      await Promise.all([this.#feed.run(), this.#gatherAll()].map((work) => work.finally(() => stop.abort())))
    } catch (error) {
      this.#fail(error)
    }
    await this.#finish()
    signal?.removeEventListener('abort', onAbort)
    over.abort()
    await beating
    await this.close()
    if (this.#failure !== undefined) throw this.#failure
  }

  /** Lets the archive go, for whoever comes next. Idempotent; `run()` ends with it. */
  async close(): Promise<void> {
    const { writer, reader } = this.#parts
    await Promise.allSettled([writer.release(), reader.close()])
  }

  /** What was read is stored, as often as that has to be tried; once where the signal came. */
  async #finish(): Promise<void> {
    const { stop, progress } = this.#parts
    stop.abort()
    progress.closeGaps()
    if (this.#failure === undefined) void this.#close()
    await this.#storing
    this.#state = 'stopped'
  }

  /** The first failure ends everything. */
  #fail(error: unknown): void {
    this.#failure ??= error
    this.#parts.stop.abort()
  }

  async #beat(over: AbortSignal): Promise<void> {
    const { clock, writer, beatMs } = this.#parts
    while (!over.aborted) {
      await clock.sleep(beatMs, { signal: over }).catch(() => {})
      // A store that is away says so where segments are put.
      if (!over.aborted) await writer.beat().catch(() => {})
    }
  }

  async #gatherAll(): Promise<void> {
    for (;;) {
      this.#isBusy = false
      const batches = await this.#feed.take(CHUNK)
      if (batches === undefined) return
      this.#isBusy = true
      for (const batch of batches) await this.#gather(batch)
      if (this.#isDue()) await this.#close()
      if (this.#marks?.reached) return
    }
  }

  async #gather(batch: Batch): Promise<void> {
    const { progress, source, segmentBytes } = this.#parts
    const deliveries = this.#marks === undefined ? batch.deliveries : this.#marks.within(batch)
    for (const delivery of deliveries) {
      // Before its place is noted: a record's places are those of what its segment holds.
      const { rowBytes } = this.#builder
      const isPart = rowBytes >= segmentBytes * PART_OF_HOUR && this.#builder.isOfLaterHour(delivery)
      if (rowBytes >= segmentBytes || isPart) await this.#close()
      if (!progress.take(delivery)) continue
      if (cameThrough(delivery.headers, source.place)) {
        this.#looped += 1
        continue
      }
      if (this.#builder.messages === 0) this.#builder = new SegmentBuilder(this.#parts.clock.monotonicMs())
      this.#builder.add(delivery, source.spec.ttlMs)
    }
  }

  #isDue(): boolean {
    const { clock, segmentBytes, segmentAgeMs } = this.#parts
    const { messages, rowBytes, begunMs } = this.#builder
    return rowBytes >= segmentBytes || (messages > 0 && clock.monotonicMs() - begunMs >= segmentAgeMs)
  }

  /** Hands on what was gathered. Resolves when what was handed on before is in the manifest: no more than two are in memory. */
  #close(): Promise<void> {
    const { progress, clock } = this.#parts
    const before = this.#storing
    const builder = this.#builder
    if (builder.messages === 0 && !progress.hasGaps) return before
    const step = { gaps: progress.takeGaps(), places: progress.places() }
    this.#builder = new SegmentBuilder(clock.monotonicMs())
    this.#storingMessages += builder.messages
    this.#storingOldestMs = Math.min(this.#storingOldestMs, builder.oldestAtMs)
    this.#storing = before
      .then(() => (this.#isGivenUp ? undefined : this.#store(builder, step)))
      .catch((error: unknown) => this.#giveUp(error))
    return before
  }

  /** The segment is in the store before the manifest names it. */
  async #store(builder: SegmentBuilder, step: Omit<Parameters<ArchiveWriter['next']>[1], 'segment'>): Promise<void> {
    const { writer, store, source } = this.#parts
    const finished = builder.messages === 0 ? undefined : await builder.finish(writer.segmentLabel)
    if (finished !== undefined) await this.#untilDone(() => store.put(finished.entry.name, finished.bytes))
    const record = writer.next(source, { ...step, segment: finished?.entry })
    await this.#untilDone(() => writer.append(record))
    this.#archived += builder.messages
    this.#storingMessages -= builder.messages
    if (this.#storingMessages === 0) this.#storingOldestMs = Number.POSITIVE_INFINITY
    this.#isBack('store-away')
  }

  get #isGivenUp(): boolean {
    return this.#failure !== undefined || this.#hasLeft
  }

  /** What the last try did not store is read again by whoever archives next. */
  #giveUp(error: unknown): void {
    const { signal } = this.#lastTry
    if (!signal.aborted || error !== signal.reason) {
      this.#fail(error)
      return
    }
    this.#hasLeft = true
    const message = 'Cannot store what was read last: the store is away; the next archiver reads it again'
    this.#parts.onProblem(new SkeinError('aborted', message))
  }

  #untilDone(action: () => Promise<void>): Promise<void> {
    const { clock, random } = this.#parts
    const onProblem = (problem: SkeinError) => this.#onProblem('store-away', problem)
    return retrying(action, { clock, random, signal: this.#lastTry.signal, onProblem })
  }

  /** Nothing came for a while. */
  async #onIdle(): Promise<void> {
    if (this.#isBusy || !this.#feed.isEmpty) return
    this.#parts.progress.closeGaps()
    if (this.#isDue() || this.#parts.progress.hasGaps) void this.#close()
    try {
      const isOver = this.#marks !== undefined && (await this.#marks.nothingLeft())
      // What came meanwhile is gathered first.
      if (isOver && this.#feed.isEmpty) this.#parts.stop.abort()
    } catch (error) {
      if (!(error instanceof SkeinError)) this.#fail(error)
    }
  }

  #onSourceProblem(problem: SkeinError): void {
    if (problem.retryable) this.#onProblem('source-away', problem)
    else {
      this.#parts.progress.noteGap(problem)
      this.#parts.onProblem(problem)
    }
  }

  #onProblem(state: 'source-away' | 'store-away', problem: SkeinError): void {
    this.#state = state
    this.#parts.onProblem(problem)
  }

  #isBack(from: ArchiveStatus['state']): void {
    if (this.#state === from) this.#state = 'archiving'
  }

  async status(): Promise<ArchiveStatus> {
    const { writer, source, reader, clock } = this.#parts
    const lags = await reader.lag().catch(() => [])
    const waiting = this.#feed.waiting + this.#builder.messages + this.#storingMessages
    const oldestMs = Math.min(this.#builder.oldestAtMs, this.#storingOldestMs)
    const seconds = lags.flatMap((lag) => lag.seconds ?? [])
    if (oldestMs < Number.POSITIVE_INFINITY) seconds.push(Math.max(0, (clock.nowMs() - oldestMs) / 1_000))
    const { messages, segments, bytes, gaps } = writer.totals
    return {
      ...{ archive: writer.head?.archive ?? '', source: source.place, state: this.#state },
      ...{ messages, segments, bytes, gaps, archived: this.#archived, looped: this.#looped },
      lagMessages: waiting + lags.reduce((sum, lag) => sum + lag.messages, 0),
      lagSeconds: seconds.length === 0 ? undefined : Math.max(...seconds),
    }
  }
}
