import type { Batch, Delivery, Lag, Position, Reader } from '../../bus/index.ts'
import { type Clock, type Random, SkeinError } from '../../core/index.ts'
import { retrying } from '../retrying.ts'
import { SourceFeed } from '../source-feed.ts'
import type { BridgeStatus } from './bridge-options.ts'
import type { BridgePlaces } from './bridge-places.ts'
import { BridgeTarget } from './bridge-target.ts'
import { type BridgedBy, bridgedMessage, originToken } from './bridged-message.ts'
import { Chunk } from './chunk.ts'
import type { MovedBefore } from './moved-before.ts'

const CHUNK = { messagesMax: 8_192, bytesMax: 2 * 1024 * 1024 }
const NOTE_EVERY_MS = 1_000
const NOTE_EVERY_MESSAGES = 50_000

export interface BridgeParts {
  readonly name: string
  readonly group: string
  readonly by: BridgedBy
  readonly reader: Reader
  /** Of all the group's partitions, whoever has them. */
  readonly groupLag: () => Promise<readonly Lag[]>
  readonly places: BridgePlaces
  readonly before: MovedBefore
  readonly target: Omit<ConstructorParameters<typeof BridgeTarget>[1], 'signal' | 'onProblem' | 'onRefused' | 'before'>
  readonly durability: BridgeStatus['durability']
  readonly windowBytes: number
  readonly clock: Clock
  readonly random: Random
  readonly onProblem: (problem: SkeinError) => void
  /** Ends everything the bridge waits for. */
  readonly stop: AbortController
}

/** Moves a topic's messages to another broker: in order per key, each taking effect there once. `openBridge` makes one. */
export class Bridge {
  readonly name: string
  /** Under which the source keeps the bridge's place; `skein lag` shows it. */
  readonly group: string
  readonly #parts: BridgeParts
  readonly #feed: SourceFeed
  readonly #target: BridgeTarget
  #state: BridgeStatus['state'] = 'moving'
  #looped = 0
  #deadLetters = 0
  #gaps = 0
  /** What is on its way to the target, and its promise. */
  #chunk: Chunk | undefined
  #moving: Promise<void> = Promise.resolve()
  /** By partition: stored, and not yet acknowledged at the source. */
  readonly #unacknowledged = new Map<number, Batch>()
  #acknowledging: Promise<void> = Promise.resolve()
  /** By partition: everything before it is stored and acknowledged. */
  readonly #next = new Map<number, number>()
  #notedAtMs: number
  #sinceNoted = 0
  #ends: readonly Position[] | undefined

  constructor(parts: BridgeParts) {
    this.#parts = parts
    this.name = parts.name
    this.group = parts.group
    this.#notedAtMs = parts.clock.monotonicMs()
    const { clock, random, stop, windowBytes } = parts
    this.#feed = new SourceFeed(parts.reader, {
      ...{ clock, random, windowBytes, signal: stop.signal },
      onProblem: (problem) => this.#onSourceProblem(problem),
      onRead: () => this.#isBack('source-away'),
      onIdle: () => this.#onIdle(),
    })
    this.#target = new BridgeTarget(parts.durability, {
      ...parts.target,
      before: parts.before,
      signal: stop.signal,
      onProblem: (problem) => this.#onProblem('target-away', problem),
      onRefused: (delivery, why) => this.#bury(delivery, why),
    })
    parts.reader.onAssignment(({ removed }) => this.#lose(removed))
  }

  /**
   * Moves until the signal comes, or, with `untilEnd`, until everything is moved that is in the source now. What is on its
   * way is finished. Rejects with what only a person can mend: `unauthorised`, `closed`, `not-found`.
   */
  async run(options: { readonly signal?: AbortSignal; readonly untilEnd?: boolean } = {}): Promise<void> {
    const { stop, reader } = this.#parts
    const { signal } = options
    const onAbort = () => stop.abort()
    if (signal?.aborted) onAbort()
    signal?.addEventListener('abort', onAbort, { once: true })
    try {
      if (options.untilEnd) this.#ends = await reader.end()
      await Promise.all([this.#feed.run(), this.#moveAll()].map((work) => work.finally(() => stop.abort())))
    } finally {
      signal?.removeEventListener('abort', onAbort)
      await this.#finish()
    }
  }

  async #finish(): Promise<void> {
    const { stop, reader, target } = this.#parts
    stop.abort()
    await Promise.allSettled([this.#moving, this.#acknowledging])
    this.#state = 'stopped'
    await Promise.allSettled([this.#note(), reader.drain(), target.writer.drain()])
  }

  async #moveAll(): Promise<void> {
    for (;;) {
      const batches = await this.#feed.take(CHUNK)
      if (batches === undefined) return
      this.#chunk = new Chunk(batches)
      this.#moving = this.#move(this.#chunk)
      try {
        await this.#moving
      } catch (error) {
        // What was cut off comes again to whoever runs next.
        if (error === this.#parts.stop.signal.reason) return
        throw error
      }
      this.#chunk = undefined
    }
  }

  async #move(chunk: Chunk): Promise<void> {
    for (const batch of chunk.batches) await this.#fill(chunk, batch)
    const isDone = await this.#target.store(chunk)
    if (!isDone) return
    this.#isBack('target-away')
    // One acknowledgment at a time; the next chunk is on its way meanwhile.
    await this.#acknowledging
    for (const batch of chunk.batches) {
      if (!chunk.hasLeft(batch.partition)) this.#unacknowledged.set(batch.partition, batch)
      this.#sinceNoted += batch.deliveries.length
    }
    this.#acknowledging = this.#acknowledge(this.#parts.before.searchFrom())
  }

  async #fill(chunk: Chunk, batch: Batch): Promise<void> {
    const { before, by, clock } = this.#parts
    await retrying(() => before.search(batch), this.#retrying('target-away'))
    const nowMs = clock.nowMs()
    const { partition } = batch
    for (const delivery of batch.deliveries) {
      const token = originToken(delivery)
      if (before.has(partition, delivery.position.sequence, token)) {
        this.#target.repeats += 1
        continue
      }
      const message = bridgedMessage(delivery, by, { token, nowMs })
      if (message === undefined) this.#looped += 1
      else chunk.add(message, delivery)
    }
  }

  /** `scan`: where the target is to be searched, as it was when everything that is acknowledged now was stored. */
  async #acknowledge(scan: readonly number[]): Promise<void> {
    const { reader } = this.#parts
    await Promise.all(
      [...this.#unacknowledged].map(async ([partition, { last, generation }]) => {
        try {
          await reader.acknowledge(last, generation)
          this.#next.set(partition, last.sequence + 1)
        } catch (error) {
          if (!(error instanceof SkeinError)) throw error
          // Another process has the partition now; it finds in the target what was moved.
          if (error.code === 'revoked' || error.code === 'closed') this.#next.delete(partition)
          else return this.#onProblem('source-away', error)
        }
        this.#unacknowledged.delete(partition)
      }),
    )
    if (this.#unacknowledged.size === 0) this.#sound = { next: new Map(this.#next), scan }
    const isDue = this.#parts.clock.monotonicMs() - this.#notedAtMs >= NOTE_EVERY_MS
    if (isDue || this.#sinceNoted >= NOTE_EVERY_MESSAGES) await this.#note()
    this.#stopAtEnd()
  }

  /** Places that belong together: nothing from `next` on stands before `scan`. */
  #sound: { readonly next: ReadonlyMap<number, number>; readonly scan: readonly number[] } | undefined

  async #note(): Promise<void> {
    const { clock, places } = this.#parts
    const sound = this.#sound
    if (sound === undefined || sound.next.size === 0) return
    this.#sound = undefined
    this.#notedAtMs = clock.monotonicMs()
    this.#sinceNoted = 0
    try {
      await places.save(sound.next, sound.scan)
    } catch (error) {
      // An older note is right as well: there is only more to search.
      if (!(error instanceof SkeinError)) throw error
      this.#onProblem('target-away', error)
    }
  }

  #onIdle(): void {
    if (this.#chunk !== undefined || !this.#feed.isEmpty) return
    if (this.#unacknowledged.size > 0) {
      const searchFrom = this.#parts.before.searchFrom()
      this.#acknowledging = this.#acknowledging.then(() => this.#acknowledge(searchFrom))
    } else if (this.#sound !== undefined) this.#acknowledging = this.#acknowledging.then(() => this.#note())
    if (this.#ends !== undefined) void this.#stopWhenIdle()
  }

  /** The last messages may be none that is given: then only the source can say that nothing is left. */
  async #stopWhenIdle(): Promise<void> {
    await this.#acknowledging
    const { reader, groupLag, stop } = this.#parts
    const nothing: readonly Lag[] = []
    const own = await reader.lag().catch(() => nothing)
    // Partitions that are not this process's, or not yet.
    const isElsewhere = this.#ends!.some(
      ({ partition, sequence }) => sequence > 0 && !own.some((lag) => lag.partition === partition),
    )
    const lags = isElsewhere ? await groupLag().catch(() => nothing) : own
    const isDone = (partition: number) => lags.some((lag) => lag.partition === partition && lag.messages === 0)
    if (this.#ends!.every(({ partition, sequence }) => sequence === 0 || isDone(partition))) stop.abort()
  }

  #stopAtEnd(): void {
    if (this.#ends?.every(({ partition, sequence }) => (this.#next.get(partition) ?? 0) >= sequence)) {
      this.#parts.stop.abort()
    }
  }

  /** Whoever gets the partitions begins when what is on its way is done. */
  async #lose(partitions: readonly number[]): Promise<void> {
    if (partitions.length === 0) return
    this.#feed.drop(partitions)
    this.#chunk?.lose(partitions)
    await this.#moving.catch(() => {})
    await this.#acknowledging
    for (const partition of partitions) {
      this.#next.delete(partition)
      this.#parts.before.forget(partition)
    }
    this.#sound = undefined
  }

  async #bury(delivery: Delivery, why: SkeinError): Promise<void> {
    const { reader, onProblem } = this.#parts
    onProblem(why)
    await retrying(async () => {
      try {
        await reader.settle([delivery], 'dead', { error: why.message })
        this.#deadLetters += 1
      } catch (error) {
        // Another process has the partition now, and finds the same.
        if (!(error instanceof SkeinError) || error.code !== 'revoked') throw error
      }
    }, this.#retrying('source-away'))
  }

  #retrying(state: 'source-away' | 'target-away') {
    const { clock, random, stop } = this.#parts
    return { clock, random, signal: stop.signal, onProblem: (problem: SkeinError) => this.#onProblem(state, problem) }
  }

  #onSourceProblem(problem: SkeinError): void {
    if (problem.retryable) this.#onProblem('source-away', problem)
    else {
      this.#gaps += 1
      this.#parts.onProblem(problem)
    }
  }

  #onProblem(state: 'source-away' | 'target-away', problem: SkeinError): void {
    this.#state = state
    this.#parts.onProblem(problem)
  }

  #isBack(from: BridgeStatus['state']): void {
    if (this.#state === from) this.#state = 'moving'
  }

  async status(): Promise<BridgeStatus> {
    const { by, reader } = this.#parts
    const lags = await reader.lag().catch(() => [])
    const seconds = lags.flatMap((lag) => lag.seconds ?? [])
    return {
      bridge: this.name,
      state: this.#state,
      source: by.source,
      target: by.target,
      durability: this.#target.durability,
      moved: this.#target.moved,
      repeats: this.#target.repeats,
      looped: this.#looped,
      deadLetters: this.#deadLetters,
      gaps: this.#gaps,
      lagMessages: lags.reduce((sum, { messages }) => sum + messages, 0),
      lagSeconds: seconds.length === 0 ? undefined : Math.max(...seconds),
    }
  }
}
