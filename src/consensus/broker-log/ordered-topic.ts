import { type Bus, type Message, type Reader, WriteError, type Writer } from '../../bus/index.ts'
import { type Clock, ClosedError, type Random, SkeinError } from '../../core/index.ts'
import { checkCommands } from '../check-commands.ts'
import { checkCompaction } from '../check-compaction.ts'
import { OutcomeUnknownError } from '../errors.ts'
import type { LogStatus } from '../log-status.ts'
import type { LogRead, ReadOptions } from '../replicated-log.ts'
import type { SnapshotRef } from '../snapshot-ref.ts'
import type { SnapshotStore } from '../snapshot-store.ts'
import type { WaitOptions } from '../wait-options.ts'
import { Wake } from '../wake.ts'
import { type Claim, type FoldedCall, LogFold } from './log-fold.ts'
import { readEntries } from './read-entries.ts'
import { decodeRecord, encodeRecord, type LogRecord } from './record-codec.ts'

export interface OrderedTopicParts {
  readonly clock: Clock
  readonly random: Random
  readonly bus: Bus
  readonly topic: string
  /** This member's name. */
  readonly id: string
  readonly snapshots: SnapshotStore
  readonly commandBytesMax: number
  readonly pendingBytesMax: number
}

/** What a member is told of what comes by, in its order. */
export interface TopicWatcher {
  /** All commands of a call are in the log. */
  onCall(call: FoldedCall): void
  /** Somebody leads from here; `before`: who did. */
  onClaim(before: Claim | undefined): void
  /** This member can follow no more. */
  onFailed(error: Error): void
}

/**
 * The partition that is the log, as one member sees it: what is in it so far, who reads it again, and what this member
 * writes to it. Who may append is another's affair.
 */
export class OrderedTopic {
  readonly fold = new LogFold()
  readonly writer: Writer
  /** Tells two lives of one member apart. */
  readonly nonce: string
  readonly growth = new Wake()
  readonly news = new Wake()
  readonly end: { isClosed: boolean; failure: Error | undefined } = { isClosed: false, failure: undefined }
  readonly #parts: OrderedTopicParts
  readonly #watcher: TopicWatcher
  readonly #tail: Reader
  /** Records of this member's own that it waits to meet, by what is written in them. */
  readonly #awaited = new Map<string, PromiseWithResolvers<number>>()
  readonly #stop = new AbortController()
  #following: Promise<void> | undefined
  #timeMs = 0

  constructor(parts: OrderedTopicParts, watcher: TopicWatcher) {
    const { bus, topic, random, pendingBytesMax } = parts
    this.#parts = parts
    this.#watcher = watcher
    this.nonce = Buffer.from(random.bytes(12)).toString('hex')
    this.#tail = bus.reader(topic, { mode: 'broadcast', from: 'earliest' })
    this.writer = bus.writer(topic, { pendingBytesMax })
  }

  /** Called once: reads what is kept, and from then on what follows. */
  async catchUp(): Promise<void> {
    this.#following = this.#follow()
    await this.barrier()
  }

  async #follow(): Promise<void> {
    const { signal } = this.#stop
    try {
      for (;;) {
        const batch = await this.#tail.read({ signal })
        for (const { position, value } of batch?.deliveries ?? []) {
          this.#take(position.sequence + 1, decodeRecord(value ?? new Uint8Array(0)))
        }
        this.growth.wake()
      }
    } catch (error) {
      if (!this.end.isClosed) this.fail(error as Error)
    }
  }

  #take(index: number, record: LogRecord): void {
    const { epoch, compaction, leader } = this.fold
    const { call } = this.fold.take(index, record)
    if (call !== undefined) this.#watcher.onCall(call)
    if (this.fold.epoch > epoch) this.#watcher.onClaim(leader)
    if (this.fold.compaction !== compaction || this.fold.epoch > epoch) this.news.wake()
    if (record.kind === 'command' || record.kind === 'sequenced') return
    const key = keyOf(record)
    this.#awaited.get(key)?.resolve(this.fold.committed)
    this.#awaited.delete(key)
  }

  fail(error: Error): void {
    if (this.end.isClosed || this.end.failure !== undefined) return
    this.end.failure = error
    this.#watcher.onFailed(error)
    this.#endWaits(error)
  }

  #endWaits(error: Error): void {
    for (const { reject } of this.#awaited.values()) reject(error)
    this.#awaited.clear()
    this.growth.wake()
    this.news.wake()
  }

  checkUsable(): void {
    if (this.end.isClosed) throw new ClosedError('this replicated log')
    if (this.end.failure !== undefined) throw this.end.failure
  }

  get isUsable(): boolean {
    return !this.end.isClosed && this.end.failure === undefined
  }

  checkCommands(commands: readonly Uint8Array[]): void {
    checkCommands(commands, this.#parts.commandBytesMax)
  }

  /** Log time of what is appended now. */
  nextTimeMs(): number {
    this.#timeMs = Math.max(this.#parts.clock.nowMs(), this.#timeMs, this.fold.timeMs)
    return this.#timeMs
  }

  message(record: LogRecord): Message {
    return { subject: `${this.#parts.topic}.record`, key: 'log', value: encodeRecord(record) }
  }

  /** From there on this member leads, unless somebody else has claimed that epoch or a later one. */
  async claim(epoch: number, options: WaitOptions & { readonly cluster?: string } = {}): Promise<void> {
    const { signal, cluster } = options
    const claim: Claim = { id: this.#parts.id, nonce: this.nonce, ...(cluster !== undefined && { cluster }) }
    await this.#writeAwaited({ kind: 'claim', epoch, data: json(claim) }, signal)
  }

  /** Writes a record and waits until it comes by: resolves to what was committed then. */
  async #writeAwaited(
    record: Pick<LogRecord, 'kind' | 'epoch' | 'data'>,
    signal: AbortSignal | undefined,
  ): Promise<number> {
    const whole = { ...record, timeMs: this.fold.timeMs, call: 0, ordinal: 0, count: 1 }
    const awaited = Promise.withResolvers<number>()
    this.#awaited.set(keyOf(whole), awaited)
    const onAbort = () => awaited.reject(signal?.reason)
    signal?.addEventListener('abort', onAbort, { once: true })
    this.writer.write([this.message(whole)]).catch((error: unknown) => {
      awaited.reject(this.end.isClosed ? new ClosedError('this replicated log') : error)
    })
    try {
      return await awaited.promise
    } finally {
      this.#awaited.delete(keyOf(whole))
      signal?.removeEventListener('abort', onAbort)
    }
  }

  read(from: number, options: ReadOptions = {}): AsyncIterable<LogRead> {
    if (!Number.isSafeInteger(from) || from < 0) {
      throw new SkeinError('bad-argument', `Cannot read from entry ${from}: it must be a whole number from 0`)
    }
    const { bus, topic } = this.#parts
    const { fold, growth, end } = this
    return readEntries({ bus, topic, fold, growth, end }, from, options)
  }

  /** A record in the topic: when it comes by, everything that was acknowledged before has. */
  async barrier({ signal }: WaitOptions = {}): Promise<number> {
    signal?.throwIfAborted()
    this.checkUsable()
    return this.#writeAwaited({ kind: 'barrier', epoch: 0, data: this.#parts.random.bytes(12) }, signal)
  }

  async compact(through: number, snapshot: SnapshotRef, { signal }: WaitOptions = {}): Promise<void> {
    signal?.throwIfAborted()
    this.checkUsable()
    checkCompaction(through, snapshot, this.fold.committed)
    if (snapshot.index <= (this.fold.compaction?.snapshot.index ?? 0)) return
    const { snapshots } = this.#parts
    // Nothing is let go for a snapshot that is not there.
    await snapshots.manifest(snapshot)
    await this.#writeAwaited({ kind: 'compaction', epoch: 0, data: json({ through, snapshot }) }, signal)
    // Of its own only: another member may be about to name one that nobody knows yet.
    await snapshots.deleteOthers([this.fold.compaction!.snapshot])
  }

  /** What can be said of the log, whoever may append to it. */
  status(): Pick<LogStatus, 'term' | 'firstIndex' | 'committedIndex' | 'snapshot' | 'retainedBytes' | 'failure'> {
    const { epoch, compaction, compacted, committed, retainedBytes } = this.fold
    return {
      term: epoch,
      firstIndex: compacted + 1,
      committedIndex: committed,
      snapshot: compaction?.snapshot,
      retainedBytes,
      failure: this.end.failure,
    }
  }

  async *changes(status: () => LogStatus, { signal }: WaitOptions = {}): AsyncGenerator<LogStatus, void, undefined> {
    for (;;) {
      signal?.throwIfAborted()
      const news = this.news.wait(signal)
      // Whoever leaves the loop meanwhile waits for nothing.
      news.catch(() => undefined)
      const now = status()
      yield now
      if (now.state === 'closed') return
      await news
    }
  }

  async close(): Promise<void> {
    this.end.isClosed = true
    this.#endWaits(new ClosedError('this replicated log'))
    this.#stop.abort()
    await Promise.all([this.#tail.close(), this.writer.close(), this.#following])
  }
}

/** What a failed write means for whoever appended. */
export function outcomeOf(error: unknown): SkeinError {
  const { cause } = error as WriteError
  const isNothingStored = error instanceof WriteError && error.accepted.length + error.unknown.length === 0
  if (isNothingStored && cause instanceof SkeinError) return cause
  return new OutcomeUnknownError('the broker did not say that it is stored', { cause: error })
}

function json(value: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value))
}

function keyOf({ kind, epoch, data }: Pick<LogRecord, 'kind' | 'epoch' | 'data'>): string {
  return `${kind} ${epoch} ${Buffer.from(data).toString('latin1')}`
}
