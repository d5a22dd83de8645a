import { type Bus, type Durability, type Message, type Reader, WriteError, type Writer } from '../../bus/index.ts'
import { type Clock, ClosedError, type Random, SkeinError } from '../../core/index.ts'
import { OutcomeUnknownError } from '../errors.ts'
import type { LogMember, LogStatus } from '../log-status.ts'
import type { Appended, LogRead, ReadOptions, ReplicatedLog } from '../replicated-log.ts'
import type { SnapshotRef } from '../snapshot-ref.ts'
import type { SnapshotStore } from '../snapshot-store.ts'
import type { WaitOptions } from '../wait-options.ts'
import { Wake } from '../wake.ts'
import { brokerAdmin } from './broker-admin.ts'
import { LogFold } from './log-fold.ts'
import { notLeading, PendingCalls } from './pending-calls.ts'
import { readEntries } from './read-entries.ts'
import { decodeRecord, encodeRecord, type LogRecord } from './record-codec.ts'

export interface BrokerLogParts {
  readonly clock: Clock
  readonly random: Random
  readonly bus: Bus
  readonly topic: string
  readonly id: string
  readonly driver: string
  readonly snapshots: SnapshotStore
  readonly commandBytesMax: number
  readonly pendingBytesMax: number
}

/**
 * The replicated log that one partition of a broker keeps. Nobody is elected: whoever takes the log over writes a claim with
 * the next epoch into it, and what its predecessors append behind that is passed over by every reader.
 */
export class BrokerLog implements ReplicatedLog {
  readonly snapshots: SnapshotStore
  readonly admin = brokerAdmin
  readonly #parts: BrokerLogParts
  readonly #fold = new LogFold()
  readonly #tail: Reader
  readonly #writer: Writer
  readonly #nonce: string
  readonly #calls = new PendingCalls()
  readonly #growth = new Wake()
  readonly #news = new Wake()
  /** Records of this member's own that it waits to meet, by what is written in them. */
  readonly #awaited = new Map<string, PromiseWithResolvers<number>>()
  readonly #stop = new AbortController()
  readonly #end: { isClosed: boolean; failure: Error | undefined } = { isClosed: false, failure: undefined }
  #following: Promise<void> | undefined
  #call = 0
  #timeMs = 0
  #isDraining = false
  #ending: Promise<void> | undefined
  #draining: Promise<void> | undefined

  constructor(parts: BrokerLogParts) {
    const { bus, topic, random, snapshots, pendingBytesMax } = parts
    this.#parts = parts
    this.snapshots = snapshots
    this.#nonce = Buffer.from(random.bytes(12)).toString('hex')
    this.#tail = bus.reader(topic, { mode: 'broadcast', from: 'earliest' })
    this.#writer = bus.writer(topic, { pendingBytesMax })
  }

  /** Called once: reads what is kept, and from then on what follows. */
  async catchUp(): Promise<void> {
    this.#following = this.#follow()
    await this.barrier()
  }

  /** Takes the log over: resolves when this member leads, or when somebody else has taken it over meanwhile. */
  async lead({ signal }: WaitOptions = {}): Promise<void> {
    signal?.throwIfAborted()
    this.#checkUsable()
    if (this.#isLeading) return
    const claim = { id: this.#parts.id, nonce: this.#nonce }
    await this.#writeAwaited({ kind: 'claim', epoch: this.#fold.epoch + 1, data: json(claim) }, signal)
  }

  get #isLeading(): boolean {
    return this.#fold.leader?.nonce === this.#nonce
  }

  async #follow(): Promise<void> {
    const { signal } = this.#stop
    try {
      for (;;) {
        const batch = await this.#tail.read({ signal })
        for (const { position, value } of batch?.deliveries ?? []) {
          this.#take(position.sequence + 1, decodeRecord(value ?? new Uint8Array(0)))
        }
        this.#growth.wake()
      }
    } catch (error) {
      if (!this.#end.isClosed) this.#fail(error as Error)
    }
  }

  #take(index: number, record: LogRecord): void {
    const { epoch, compaction } = this.#fold
    const wasLeading = this.#isLeading
    const { call } = this.#fold.take(index, record)
    if (call !== undefined && wasLeading) this.#calls.folded(call)
    if (this.#fold.epoch > epoch) this.#onClaim(wasLeading)
    if (this.#fold.compaction !== compaction || this.#fold.epoch > epoch) this.#news.wake()
    if (record.kind === 'command') return
    const key = keyOf(record)
    this.#awaited.get(key)?.resolve(this.#fold.committed)
    this.#awaited.delete(key)
  }

  /** What was sent and stands behind the claim is passed over by everyone: it is certainly not in the log. */
  #onClaim(wasLeading: boolean): void {
    this.#call = 0
    if (wasLeading) this.#calls.failAll(() => notLeading('append', this.#fold.leader?.id))
  }

  #fail(error: Error): void {
    this.#end.failure = error
    this.#calls.failAll(() => new OutcomeUnknownError('this member has stopped', { cause: error }))
    this.#endWaits(error)
  }

  #endWaits(error: Error): void {
    for (const { reject } of this.#awaited.values()) reject(error)
    this.#awaited.clear()
    this.#growth.wake()
    this.#news.wake()
  }

  #checkUsable(): void {
    if (this.#end.isClosed) throw new ClosedError('this replicated log')
    if (this.#end.failure !== undefined) throw this.#end.failure
  }

  async append(commands: readonly Uint8Array[], { signal }: WaitOptions = {}): Promise<Appended> {
    signal?.throwIfAborted()
    this.#checkUsable()
    if (this.#isDraining) throw new ClosedError('this replicated log')
    this.#checkSizes(commands)
    if (!this.#isLeading) throw notLeading('append', this.#fold.leader?.id)
    if (this.#writer.full) {
      const message = `Cannot append: ${this.#calls.count} calls wait to be stored; try again`
      throw new SkeinError('overloaded', message, { retryable: true })
    }
    this.#call += 1
    const call = this.#call
    const { epoch } = this.#fold
    const folded = this.#calls.wait(call, signal)
    const written = this.#write(this.#messagesOf(commands, call), { epoch, call })
    const [{ indexes }, durability] = await Promise.all([folded, written])
    const [first, last] = [indexes[0]!, indexes.at(-1)!]
    return { first, last, term: epoch, durability, ...(last - first >= indexes.length && { indexes }) }
  }

  #checkSizes(commands: readonly Uint8Array[]): void {
    if (commands.length === 0) throw new SkeinError('bad-argument', 'Cannot append nothing: give at least one command')
    const { commandBytesMax } = this.#parts
    for (const { length } of commands) {
      if (length <= commandBytesMax) continue
      const message = `Cannot append a command of ${length} bytes: at most ${commandBytesMax}; keep large things elsewhere and append where they are`
      throw new SkeinError('message-too-large', message, { details: { bytes: length, bytesMax: commandBytesMax } })
    }
  }

  #messagesOf(commands: readonly Uint8Array[], call: number): Message[] {
    const { epoch } = this.#fold
    const { length: count } = commands
    this.#timeMs = Math.max(this.#parts.clock.nowMs(), this.#timeMs, this.#fold.timeMs)
    const shared = { kind: 'command', epoch, timeMs: this.#timeMs, call, count } as const
    return commands.map((data, ordinal) => this.#message({ ...shared, ordinal, data }))
  }

  #message(record: LogRecord): Message {
    return { subject: `${this.#parts.topic}.record`, key: 'log', value: encodeRecord(record) }
  }

  /** Resolves to what the write survives. What became of a call whose write failed its place in the topic may still tell. */
  async #write(batch: readonly Message[], of: { readonly epoch: number; readonly call: number }): Promise<Durability> {
    try {
      return (await this.#writer.write(batch)).durability
    } catch (error) {
      // Fenced meanwhile: that was told already, and is certain.
      const isOver = of.epoch < this.#fold.epoch
      if (!isOver) this.#calls.fail(of.call, outcomeOf(error))
      throw isOver ? notLeading('append', this.#fold.leader?.id) : outcomeOf(error)
    }
  }

  /** Writes a record and waits until it comes by: resolves to what was committed then. */
  async #writeAwaited(
    record: Pick<LogRecord, 'kind' | 'epoch' | 'data'>,
    signal: AbortSignal | undefined,
  ): Promise<number> {
    const whole = { ...record, timeMs: this.#fold.timeMs, call: 0, ordinal: 0, count: 1 }
    const awaited = Promise.withResolvers<number>()
    this.#awaited.set(keyOf(whole), awaited)
    const onAbort = () => awaited.reject(signal?.reason)
    signal?.addEventListener('abort', onAbort, { once: true })
    this.#writer.write([this.#message(whole)]).catch((error: unknown) => {
      awaited.reject(this.#end.isClosed ? new ClosedError('this replicated log') : error)
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
    return readEntries({ bus, topic, fold: this.#fold, growth: this.#growth, end: this.#end }, from, options)
  }

  /** A record in the topic: when it comes by, everything that was acknowledged before has. */
  async barrier({ signal }: WaitOptions = {}): Promise<number> {
    signal?.throwIfAborted()
    this.#checkUsable()
    return this.#writeAwaited({ kind: 'barrier', epoch: 0, data: this.#parts.random.bytes(12) }, signal)
  }

  async compact(through: number, snapshot: SnapshotRef, { signal }: WaitOptions = {}): Promise<void> {
    signal?.throwIfAborted()
    this.#checkUsable()
    const { committed } = this.#fold
    if (through > snapshot.index || snapshot.index > committed) {
      const message = `Cannot compact through entry ${through} for a snapshot at ${snapshot.index}: it must not be beyond the snapshot, nor that beyond what is committed, ${committed}`
      throw new SkeinError('bad-argument', message)
    }
    if (snapshot.index <= (this.#fold.compaction?.snapshot.index ?? 0)) return
    // Nothing is let go for a snapshot that is not there.
    await this.snapshots.manifest(snapshot)
    await this.#writeAwaited({ kind: 'compaction', epoch: 0, data: json({ through, snapshot }) }, signal)
    // Of its own only: another member may be about to name one that nobody knows yet.
    await this.snapshots.deleteOthers([this.#fold.compaction!.snapshot])
  }

  status(): LogStatus {
    const { epoch, leader, compaction, compacted, committed, retainedBytes } = this.#fold
    const { isClosed, failure } = this.#end
    const following = leader === undefined ? 'electing' : 'following'
    return {
      implementation: this.#parts.driver,
      state: isClosed || failure !== undefined ? 'closed' : this.#isLeading ? 'leading' : following,
      id: this.#parts.id,
      term: epoch,
      leader: leader && ({ id: leader.id, address: '', kind: 'voter' } satisfies LogMember),
      firstIndex: compacted + 1,
      committedIndex: committed,
      snapshot: compaction?.snapshot,
      retainedBytes,
      members: [],
      failure,
    }
  }

  async *changes({ signal }: WaitOptions = {}): AsyncGenerator<LogStatus, void, undefined> {
    for (;;) {
      signal?.throwIfAborted()
      const news = this.#news.wait(signal)
      // Whoever leaves the loop meanwhile waits for nothing.
      news.catch(() => undefined)
      const status = this.status()
      yield status
      if (status.state === 'closed') return
      await news
    }
  }

  drain(): Promise<void> {
    this.#draining ??= this.#drain()
    return this.#draining
  }

  async #drain(): Promise<void> {
    this.#isDraining = true
    while (this.#calls.count > 0 && !this.#end.isClosed && this.#end.failure === undefined) {
      await this.#growth.wait(this.#stop.signal).catch(() => undefined)
    }
    await this.close()
  }

  close(): Promise<void> {
    this.#ending ??= this.#close()
    return this.#ending
  }

  async #close(): Promise<void> {
    this.#end.isClosed = true
    this.#calls.failAll(() => new OutcomeUnknownError('the log was closed'))
    this.#endWaits(new ClosedError('this replicated log'))
    this.#stop.abort()
    await Promise.all([this.#tail.close(), this.#writer.close(), this.#following])
  }
}

function outcomeOf(error: unknown): SkeinError {
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
